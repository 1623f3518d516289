//! The long-term key that a profile stands on, if it stands on one.

use super::{Profile, ProfileKind, Profiles, RoleSource};
use crate::ids::{AccessKeyId, ProfileName};

/// Roles in a chain that are followed; AWS's own tools stop far earlier.
const CHAIN_LIMIT: usize = 10;

/// The long-term key that signs for a profile, by itself or for the role that it assumes. `None` for what ends by itself: sessions,
/// Identity Center, web identities, roles of machines.
#[must_use]
pub fn standing_key<'a>(
    profiles: &'a Profiles,
    name: &ProfileName,
    environment: Option<&'a AccessKeyId>,
) -> Option<&'a AccessKeyId> {
    let mut at: &Profile = profiles.find(name)?;
    for _ in 0..CHAIN_LIMIT {
        match &at.kind {
            ProfileKind::StaticKey { id, .. } => return Some(id),
            ProfileKind::Role { source: RoleSource::Credential(from), .. } if from == "Environment" => {
                return environment.filter(|id| !id.is_temporary());
            }
            ProfileKind::Role { source: RoleSource::Profile(next), .. } => {
                // Its own key assumes its role.
                if *next == at.name {
                    return at.keys.first().map(|held| &held.id).filter(|id| !id.is_temporary());
                }
                at = profiles.find(next)?;
            }
            ProfileKind::Role { source: RoleSource::Credential(_) | RoleSource::Invalid { .. }, .. }
            | ProfileKind::Temporary { .. }
            | ProfileKind::Sso { .. }
            | ProfileKind::WebIdentity { .. }
            | ProfileKind::CredentialProcess { .. }
            | ProfileKind::Login { .. }
            | ProfileKind::IncompleteKey { .. }
            | ProfileKind::BadKey { .. }
            | ProfileKind::Empty => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{File, FileKind};

    const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
    const SESSION: &str = "ASIAIOSFODNN7EXAMPLE";

    #[test]
    fn a_key_is_found_behind_roles_and_sessions_are_none() {
        let secret = "s".repeat(40);
        let pair = |id: &str| format!("aws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        let credentials = format!("[key]\n{}[session]\n{}aws_session_token = t\n", pair(KEY), pair(SESSION));
        let role = "role_arn = arn:aws:iam::123456789012:role/akia\n";
        let config = format!(
            "[profile role]\n{role}source_profile = hop\n[profile hop]\n{role}source_profile = key\n\
             [profile variables]\n{role}credential_source = Environment\n\
             [profile machine]\n{role}credential_source = Ec2InstanceMetadata\n\
             [profile web]\n{role}web_identity_token_file = /token\n[profile round]\n{role}source_profile = turn\n\
             [profile turn]\n{role}source_profile = round\n\
             [profile sso]\nsso_start_url = https://example.awsapps.com/start\nsso_region = eu-west-1\n\
             sso_account_id = 111122223333\nsso_role_name = Read\n"
        );
        let file = |kind, text: &str| File::parse(kind, text.as_bytes().to_vec());
        let profiles =
            Profiles::merge(Some(&file(FileKind::Credentials, &credentials)), Some(&file(FileKind::Config, &config)));
        let (key, session): (AccessKeyId, AccessKeyId) = (KEY.parse().unwrap(), SESSION.parse().unwrap());
        let found = |name: &str, environment| standing_key(&profiles, &name.parse().unwrap(), environment).cloned();
        for name in ["key", "role", "hop"] {
            assert_eq!(found(name, None), Some(key.clone()), "{name}");
        }
        for name in ["session", "variables", "machine", "web", "round", "sso", "not-there"] {
            assert_eq!(found(name, None), None, "{name}");
        }
        assert_eq!(found("variables", Some(&key)), Some(key.clone()));
        assert_eq!(found("variables", Some(&session)), None);
    }
}
