//! CI/CD variables of GitLab: <https://docs.gitlab.com/api/project_level_variables/>,
//! <https://docs.gitlab.com/api/group_level_variables/>.

use akia_core::place::{GitlabOwner, GitlabVariable, KeyNames};
use serde::Deserialize;
use serde_json::json;
use url::Url;
use zeroize::Zeroizing;

use super::apart::{Found, Standing, Values, Wrote};
use super::web::{Answer, Call, call, opening, url_at};
use super::{KeyPair, Named, PlaceError, Places};

pub(super) struct GitlabPlace<'p> {
    pub(super) variables: &'p GitlabVariable,
}

/// How a variable is treated; each write says the same again.
#[derive(Clone, Deserialize)]
pub(super) struct Flags {
    variable_type: String,
    protected: bool,
    masked: bool,
    /// Before GitLab 15.7 there were no raw variables.
    #[serde(default)]
    raw: bool,
}

#[derive(Deserialize)]
struct Variable {
    /// None of a hidden one.
    value: Option<Zeroizing<String>>,
    #[serde(default)]
    hidden: Option<bool>,
    #[serde(flatten)]
    flags: Flags,
}

impl Values for GitlabPlace<'_> {
    /// None of a variable that is not there.
    type Kept = Option<Flags>;

    fn place(&self) -> &Named {
        self.variables
    }

    fn names(&self) -> &KeyNames {
        &self.variables.names
    }

    async fn look(&self, places: &Places) -> Result<Vec<Found<Option<Flags>>>, PlaceError> {
        let mut all = Vec::new();
        for name in self.variables.names.list() {
            let answer = self.ask(places, "GET", Some(name), Zeroizing::default(), None).await?;
            if answer.status == 404 {
                // No such variable, or no such project: the list of all tells.
                let list = self.ask(places, "GET", None, Zeroizing::default(), None).await?;
                match list.status {
                    200..300 => all.push(Found { standing: Standing::Absent, kept: None }),
                    404 => return Err(list.missing(self.variables, self.owner())),
                    _ => return Err(list.refused(self.variables)),
                }
                continue;
            }
            let Variable { value, hidden, flags } = answer.json(self.variables)?;
            let standing = match value {
                Some(value) if hidden != Some(true) => Standing::Readable { value, mark: None },
                Some(_) | None => Standing::Sealed { mark: None },
            };
            all.push(Found { standing, kept: Some(flags) });
        }
        Ok(all)
    }

    async fn write(
        &self,
        places: &Places,
        (_, name): (usize, &str),
        found: &Found<Option<Flags>>,
        value: &str,
        pair: &KeyPair,
    ) -> Result<Wrote, PlaceError> {
        let is_new = found.kept.is_none();
        let flags = found.kept.clone().unwrap_or_else(|| Flags {
            variable_type: "env_var".to_owned(),
            protected: self.variables.protected,
            masked: can_be_masked(value),
            raw: true,
        });
        let mut body = json!({
            "value": value,
            "variable_type": flags.variable_type,
            "protected": flags.protected,
            "masked": flags.masked,
            "raw": flags.raw,
            "environment_scope": self.variables.environment_scope,
        });
        if is_new {
            body["key"] = name.into();
        }
        let body = Zeroizing::new(body.to_string());
        let (method, name) = if is_new { ("POST", None) } else { ("PUT", Some(name)) };
        let answer = self.ask(places, method, name, body, Some(pair)).await?;
        match answer.status {
            200..300 => Ok(Wrote::Done { mark: None }),
            404 | 409 => Ok(Wrote::Raced),
            // Somebody has made it meanwhile, or we have and did not hear of it.
            400 if is_new && String::from_utf8_lossy(&answer.body).contains("has already been taken") => {
                Ok(Wrote::Raced)
            }
            _ => Err(answer.refused(self.variables)),
        }
    }
}

/// Whether GitLab takes a value for masking: <https://docs.gitlab.com/ci/variables/#mask-a-cicd-variable>.
fn can_be_masked(value: &str) -> bool {
    let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || b"@_-:+/=~.".contains(&byte);
    value.len() >= 8 && value.bytes().all(is_taken)
}

impl GitlabPlace<'_> {
    fn owner(&self) -> &'static str {
        match self.variables.owner {
            GitlabOwner::Project(_) => "the project",
            GitlabOwner::Group(_) => "the group",
        }
    }

    /// The URL of a variable, or of all.
    fn url(&self, name: Option<&str>) -> Result<Url, PlaceError> {
        let (kind, path) = match &self.variables.owner {
            GitlabOwner::Project(path) => ("projects", path),
            GitlabOwner::Group(path) => ("groups", path),
        };
        let mut segments = vec!["api", "v4", kind, path, "variables"];
        segments.extend(name);
        let mut url = url_at(self.variables, self.variables.address.as_str(), &segments)?;
        if name.is_some() {
            url.query_pairs_mut().append_pair("filter[environment_scope]", &self.variables.environment_scope);
        }
        Ok(url)
    }

    async fn ask(
        &self,
        places: &Places,
        method: &'static str,
        name: Option<&str>,
        body: Zeroizing<String>,
        pair: Option<&KeyPair>,
    ) -> Result<Answer, PlaceError> {
        let outside = places.outside(self.variables)?;
        let token = outside.secret(self.variables, &self.variables.token)?;
        let headers = vec![opening("private-token", "", &token)];
        let url = self.url(name)?;
        call(outside, self.variables, Call { method, url: &url, headers, body, secrets: &[&token], pair }).await
    }
}
