//! Variables of HCP Terraform (Terraform Cloud) or Terraform Enterprise, of a workspace or a variable set.
//!
//! Source: <https://developer.hashicorp.com/terraform/cloud-docs/api-docs/workspace-variables>.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Described;
use super::address::ServerAddress;
use super::names::KeyNames;
use crate::settings::SecretRef;

/// Variables that runs get. Sensitive ones are not given back.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Table", into = "Table")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TerraformCloud {
    /// Whose variables.
    pub owner: TerraformOwner,
    /// What runs take them for.
    pub category: TerraformCategory,
    /// Address of the server.
    pub address: ServerAddress,
    /// Where the token is kept.
    pub token: SecretRef,
    /// The names of the variables.
    pub names: KeyNames,
}

/// Whose variables they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TerraformOwner {
    /// A workspace's, by its name.
    Workspace {
        /// The organisation.
        organization: String,
        /// The name of the workspace.
        workspace: String,
    },
    /// A workspace's, by its id.
    WorkspaceId(String),
    /// A variable set's, by its id.
    Varset(String),
}

/// What runs take a variable for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum TerraformCategory {
    /// A variable of the environment.
    #[default]
    Env,
    /// An input variable of the configuration.
    Terraform,
}

/// Why a table makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TerraformCloudError {
    /// No way to name an owner, or several.
    #[error("write organization and workspace, or workspace-id = \"ws-…\", or varset-id = \"varset-…\"")]
    Owner,
    /// An id or a name that is none.
    #[error("{0:?} is not a name or an id of Terraform's: letters, digits, - and _")]
    Id(String),
    /// A name that Terraform does not take.
    #[error("{0:?} is not the name of a variable: letters, digits and _, and no digit first")]
    Name(String),
}

/// The place as it is written down.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Table {
    /// The organisation of the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    /// The name of the workspace there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workspace: Option<String>,
    /// The id of the workspace, instead of its name: ws-….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workspace_id: Option<String>,
    /// The id of a variable set, instead of a workspace: varset-….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    varset_id: Option<String>,
    /// What runs take the variables for; env.
    #[serde(default)]
    category: TerraformCategory,
    /// Address of the server; `https://app.terraform.io`.
    #[serde(default = "default_address")]
    address: ServerAddress,
    /// Where the token is kept; TFE_TOKEN.
    #[serde(default = "default_token")]
    token: SecretRef,
    /// The variables; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    #[serde(default)]
    names: KeyNames,
}

fn default_address() -> ServerAddress {
    ServerAddress::known("https://app.terraform.io")
}

fn default_token() -> SecretRef {
    SecretRef::Env("TFE_TOKEN".to_owned())
}

impl TryFrom<Table> for TerraformCloud {
    type Error = TerraformCloudError;

    fn try_from(table: Table) -> Result<Self, TerraformCloudError> {
        let Table { organization, workspace, workspace_id, varset_id, category, address, token, names } = table;
        let checked = |text: String| {
            let is_taken = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            let is_name = !text.is_empty() && text.bytes().all(is_taken);
            if is_name { Ok(text) } else { Err(TerraformCloudError::Id(text)) }
        };
        let owner = match (organization, workspace, workspace_id, varset_id) {
            (Some(organization), Some(workspace), None, None) => {
                TerraformOwner::Workspace { organization: checked(organization)?, workspace: checked(workspace)? }
            }
            (None, None, Some(id), None) => TerraformOwner::WorkspaceId(checked(id)?),
            (None, None, None, Some(id)) => TerraformOwner::Varset(checked(id)?),
            (_, _, _, _) => return Err(TerraformCloudError::Owner),
        };
        match names.no_variable() {
            Some(name) => Err(TerraformCloudError::Name(name.to_owned())),
            None => Ok(Self { owner, category, address, token, names }),
        }
    }
}

impl From<TerraformCloud> for Table {
    fn from(place: TerraformCloud) -> Self {
        let TerraformCloud { owner, category, address, token, names } = place;
        let (organization, workspace, workspace_id, varset_id) = match owner {
            TerraformOwner::Workspace { organization, workspace } => (Some(organization), Some(workspace), None, None),
            TerraformOwner::WorkspaceId(id) => (None, None, Some(id), None),
            TerraformOwner::Varset(id) => (None, None, None, Some(id)),
        };
        Self { organization, workspace, workspace_id, varset_id, category, address, token, names }
    }
}

impl Described for TerraformCloud {
    fn spot(&self) -> String {
        match &self.owner {
            TerraformOwner::Workspace { organization, workspace } => format!("{organization}/{workspace}"),
            TerraformOwner::WorkspaceId(id) | TerraformOwner::Varset(id) => id.clone(),
        }
    }

    fn torn(&self) -> Option<String> {
        self.names.torn("a run")
    }
}

impl fmt::Display for TerraformCloud {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.owner {
            TerraformOwner::Workspace { .. } | TerraformOwner::WorkspaceId(_) => "workspace",
            TerraformOwner::Varset(_) => "variable set",
        };
        write!(formatter, "Terraform variables {} of {what} {}", self.names.words(), self.spot())?;
        self.address.fmt_unless(&default_address(), formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::DeclaredPlace;

    fn parse(text: &str) -> Result<DeclaredPlace, String> {
        let text = format!("kind = \"terraform-cloud\"\n{text}");
        toml::from_str(&text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn variables_are_of_a_workspace_or_a_set() {
        let both = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
        for (text, words) in [
            ("organization = \"acme\"\nworkspace = \"net-prod\"", format!("{both} of workspace acme/net-prod")),
            ("workspace-id = \"ws-1\"\ncategory = \"terraform\"", format!("{both} of workspace ws-1")),
            ("varset-id = \"varset-1\"\nnames = { combined = \"AWS\" }", "AWS of variable set varset-1".to_owned()),
        ] {
            let place = parse(text).unwrap();
            assert_eq!(place.to_string(), format!("Terraform variables {words}"));
            let kept = serde_json::to_string(&place).unwrap();
            assert_eq!(serde_json::from_str::<DeclaredPlace>(&kept).unwrap(), place, "{kept}");
        }
    }

    #[test]
    fn tables_that_cannot_be_are_refused_with_what_to_write() {
        use TerraformCloudError as Error;
        for (text, error) in [
            ("", Error::Owner),
            ("organization = \"acme\"", Error::Owner),
            ("workspace-id = \"ws-1\"\nvarset-id = \"varset-1\"", Error::Owner),
            ("workspace-id = \"../x\"", Error::Id("../x".to_owned())),
            ("workspace-id = \"ws-1\"\nnames = { id = \"A-B\" }", Error::Name("A-B".to_owned())),
        ] {
            assert_eq!(parse(text), Err(error.to_string()), "{text}");
        }
    }
}
