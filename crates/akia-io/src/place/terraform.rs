//! Variables of HCP Terraform or Terraform Enterprise:
//! <https://developer.hashicorp.com/terraform/cloud-docs/api-docs/workspace-variables>,
//! <https://developer.hashicorp.com/terraform/cloud-docs/api-docs/variable-sets>.

use akia_core::place::{KeyNames, TerraformCategory, TerraformCloud, TerraformOwner};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::apart::{Found, Standing, Values, Wrote};
use super::web::{Answer, Call, call, opening, url_at};
use super::{KeyPair, Named, PlaceError, Places};

/// <https://developer.hashicorp.com/terraform/cloud-docs/api-docs#json-api-formatting>
const JSON_API: &str = "application/vnd.api+json";

/// Pages of the variables of a set, twenty on each.
const MOST_PAGES: u32 = 100;

pub(super) struct TerraformPlace<'p> {
    pub(super) variables: &'p TerraformCloud,
}

#[derive(Deserialize)]
struct Document<T> {
    data: T,
    #[serde(default)]
    links: Option<Links>,
}

#[derive(Deserialize)]
struct Links {
    #[serde(default)]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Variable {
    id: String,
    attributes: Attributes,
}

#[derive(Deserialize)]
struct Attributes {
    key: String,
    /// None of a sensitive one.
    value: Option<Zeroizing<String>>,
    category: String,
    sensitive: bool,
    /// Another after every write. Variable sets and old servers may not tell it.
    #[serde(default, rename = "version-id")]
    version_id: Option<String>,
}

#[derive(Deserialize)]
struct Workspace {
    id: String,
}

/// Where a variable is: the path of all variables of its owner, and its id among them.
pub(super) struct Spot {
    all: Vec<String>,
    id: Option<String>,
}

impl Values for TerraformPlace<'_> {
    type Kept = Spot;

    fn place(&self) -> &Named {
        self.variables
    }

    fn names(&self) -> &KeyNames {
        &self.variables.names
    }

    async fn look(&self, places: &Places) -> Result<Vec<Found<Spot>>, PlaceError> {
        let path = self.path(places).await?;
        let mut known = self.list(places, &path).await?;
        known.retain(|variable| variable.attributes.category == self.category());
        let found = |name: &str| match known.iter().position(|variable| variable.attributes.key == name) {
            None => Found { standing: Standing::Absent, kept: Spot { all: path.clone(), id: None } },
            Some(index) => {
                let Variable { id, attributes } = &known[index];
                let mark = attributes.version_id.clone();
                let standing = match &attributes.value {
                    Some(value) if !attributes.sensitive => Standing::Readable { value: value.clone(), mark },
                    Some(_) | None => Standing::Sealed { mark },
                };
                Found { standing, kept: Spot { all: path.clone(), id: Some(id.clone()) } }
            }
        };
        Ok(self.variables.names.list().into_iter().map(found).collect())
    }

    async fn write(
        &self,
        places: &Places,
        (index, name): (usize, &str),
        found: &Found<Spot>,
        value: &str,
        pair: &KeyPair,
    ) -> Result<Wrote, PlaceError> {
        let Spot { all, id } = &found.kept;
        let (method, path, body) = match id {
            Some(id) => {
                let body = json!({ "data": { "type": "vars", "id": id, "attributes": { "value": value } } });
                ("PATCH", [all.as_slice(), std::slice::from_ref(id)].concat(), body)
            }
            None => {
                // An id is no secret, and one that can be read tells whose key stands there.
                let is_sensitive = index > 0 || matches!(self.variables.names, KeyNames::Combined { .. });
                let attributes = json!({
                    "key": name, "value": value, "category": self.category(), "hcl": false, "sensitive": is_sensitive
                });
                ("POST", all.clone(), json!({ "data": { "type": "vars", "attributes": attributes } }))
            }
        };
        let answer = self.ask(places, method, &path, Zeroizing::new(body.to_string()), Some(pair)).await?;
        let is_taken = || String::from_utf8_lossy(&answer.body).contains("already been taken");
        match answer.status {
            404 | 409 => Ok(Wrote::Raced),
            422 if id.is_none() && is_taken() => Ok(Wrote::Raced),
            _ => {
                let written: Document<Variable> = answer.json(self.variables)?;
                Ok(Wrote::Done { mark: written.data.attributes.version_id })
            }
        }
    }
}

impl TerraformPlace<'_> {
    fn category(&self) -> &'static str {
        match self.variables.category {
            TerraformCategory::Env => "env",
            TerraformCategory::Terraform => "terraform",
        }
    }

    async fn list(&self, places: &Places, path: &[String]) -> Result<Vec<Variable>, PlaceError> {
        let mut known = Vec::new();
        for page in 1..=MOST_PAGES {
            let answer = self.ask_page(places, "GET", (path, Some(page)), Zeroizing::default(), None).await?;
            if answer.status == 404 {
                return Err(answer.missing(self.variables, "the workspace or variable set"));
            }
            let Document { data, links } = answer.json::<Document<Vec<Variable>>>(self.variables)?;
            known.extend(data);
            if links.and_then(|links| links.next).is_none() {
                return Ok(known);
            }
        }
        let reason = format!("its list has more than {MOST_PAGES} pages");
        Err(PlaceError::Refused { place: self.variables.to_string(), reason })
    }

    /// The path of all variables.
    async fn path(&self, places: &Places) -> Result<Vec<String>, PlaceError> {
        let of_workspace = |id: &str| ["workspaces", id, "vars"].map(str::to_owned).to_vec();
        match &self.variables.owner {
            TerraformOwner::WorkspaceId(id) => Ok(of_workspace(id)),
            TerraformOwner::Varset(id) => Ok(["varsets", id, "relationships", "vars"].map(str::to_owned).to_vec()),
            TerraformOwner::Workspace { organization, workspace } => {
                let path = ["organizations", organization, "workspaces", workspace].map(str::to_owned);
                let answer = self.ask(places, "GET", &path, Zeroizing::default(), None).await?;
                if answer.status == 404 {
                    return Err(answer.missing(self.variables, "the workspace"));
                }
                Ok(of_workspace(&answer.json::<Document<Workspace>>(self.variables)?.data.id))
            }
        }
    }

    async fn ask(
        &self,
        places: &Places,
        method: &'static str,
        path: &[String],
        body: Zeroizing<String>,
        pair: Option<&KeyPair>,
    ) -> Result<Answer, PlaceError> {
        self.ask_page(places, method, (path, None), body, pair).await
    }

    async fn ask_page(
        &self,
        places: &Places,
        method: &'static str,
        (path, page): (&[String], Option<u32>),
        body: Zeroizing<String>,
        pair: Option<&KeyPair>,
    ) -> Result<Answer, PlaceError> {
        let outside = places.outside(self.variables)?;
        let token = outside.secret(self.variables, &self.variables.token)?;
        let segments: Vec<&str> = ["api", "v2"].into_iter().chain(path.iter().map(String::as_str)).collect();
        let mut url = url_at(self.variables, self.variables.address.as_str(), &segments)?;
        if let Some(page) = page {
            url.query_pairs_mut().append_pair("page[number]", &page.to_string());
        }
        let headers = vec![
            opening("authorization", "Bearer ", &token),
            ("accept", JSON_API.to_owned()),
            ("content-type", JSON_API.to_owned()),
        ];
        call(outside, self.variables, Call { method, url: &url, headers, body, secrets: &[&token], pair }).await
    }
}
