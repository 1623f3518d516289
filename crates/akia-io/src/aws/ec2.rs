//! What a scan asks of EC2: regions, snapshots, images, and the user data of instances and launch templates. Signed by hand: the
//! SDK of EC2 would cost 306 s of a processor.
//!
//! Source: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Welcome.html>.

use akia_core::ids::{AccountId, ImageId, Region, SnapshotId};

use super::caller::{Caller, parse, present};
use super::error::AwsError;
use super::options::Service;
use super::reading::QueryApi;
use super::xml::Element;

/// What EC2 says of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: SnapshotId,
    /// `completed`, `pending`, `error`, `recoverable` or `recovering`.
    pub state: String,
    /// Size of the volume.
    pub volume_gib: u64,
    /// The account that it belongs to: another one, where it is shared.
    pub owner: Option<AccountId>,
    /// The key that it is encrypted with.
    pub kms_key: Option<String>,
    /// Whether it is encrypted.
    pub is_encrypted: bool,
    /// Whether it is in the archive, where nothing can be read.
    pub is_archived: bool,
}

/// A disk of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageDisk {
    /// `/dev/xvda` …
    pub device: String,
    /// What it is made from.
    pub snapshot: SnapshotId,
}

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) is_terminated: bool,
}

/// A version of a launch template that has user data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateVersion {
    pub(crate) number: String,
    /// In base64.
    pub(crate) user_data: String,
}

impl Caller {
    /// `ec2:DescribeRegions`: the regions that the account may use.
    pub async fn regions(&self, region: &Region) -> Result<Vec<Region>, AwsError> {
        let answer = self.read_query(QueryApi::Ec2, region, "DescribeRegions", &[], "regionInfo").await?;
        let call = self.call_in(Service::Ec2, region, "DescribeRegions");
        let name = |item: &Element| parse(&call, "regionName", present(&call, "regionName", item.text("regionName"))?);
        answer.items("regionInfo").map(name).collect()
    }

    /// `ec2:DescribeSnapshots` of one.
    pub async fn snapshot(&self, region: &Region, id: &SnapshotId) -> Result<Snapshot, AwsError> {
        let parameters = [("SnapshotId.1", id.as_str())];
        let answer = self.read_query(QueryApi::Ec2, region, "DescribeSnapshots", &parameters, "snapshotSet").await?;
        let call = self.call_in(Service::Ec2, region, "DescribeSnapshots");
        let item = answer.items("snapshotSet").find(|item| item.text("snapshotId") == Some(id.as_str()));
        let item = present(&call, id.as_str(), item)?;
        Ok(Snapshot {
            id: id.clone(),
            state: super::clean(present(&call, "status", item.text("status"))?, None),
            volume_gib: parse(&call, "volumeSize", present(&call, "volumeSize", item.text("volumeSize"))?)?,
            owner: item.text("ownerId").and_then(|owner| owner.parse().ok()),
            kms_key: item.text("kmsKeyId").map(|key| super::clean(key, None)),
            is_encrypted: item.text("encrypted") == Some("true"),
            is_archived: item.text("storageTier") == Some("archive"),
        })
    }

    /// `ec2:DescribeImages` of one: the disks of it that snapshots hold.
    pub async fn image_disks(&self, region: &Region, id: &ImageId) -> Result<Vec<ImageDisk>, AwsError> {
        let parameters = [("ImageId.1", id.as_str())];
        let answer = self.read_query(QueryApi::Ec2, region, "DescribeImages", &parameters, "imagesSet").await?;
        let call = self.call_in(Service::Ec2, region, "DescribeImages");
        let item = answer.items("imagesSet").find(|item| item.text("imageId") == Some(id.as_str()));
        let item = present(&call, id.as_str(), item)?;
        let snapshot = |mapping: &Element| {
            let snapshot = mapping.child("ebs")?.text("snapshotId")?;
            let device = super::clean(mapping.text("deviceName").unwrap_or_default(), None);
            Some(parse(&call, "snapshotId", snapshot).map(|snapshot| ImageDisk { device, snapshot }))
        };
        item.items("blockDeviceMapping").filter_map(snapshot).collect()
    }

    /// `ec2:DescribeInstances`: all of them, whatever their state.
    pub(crate) async fn instances(&self, region: &Region) -> Result<Vec<Instance>, AwsError> {
        let call = self.call_in(Service::Ec2, region, "DescribeInstances");
        let mut instances = Vec::new();
        let ask = async |token| {
            self.query_page(region, "DescribeInstances", &[("MaxResults", "500")], "reservationSet", token).await
        };
        self.each_page(&call, ask, async |page: Element| {
            let found = page.items("reservationSet").flat_map(|one| one.items("instancesSet"));
            instances.extend(found.filter_map(|instance| {
                let state = instance.child("instanceState").and_then(|state| state.text("name"));
                let id = super::clean(instance.text("instanceId")?, None);
                Some(Instance { id, is_terminated: state == Some("terminated") })
            }));
        })
        .await?;
        Ok(instances)
    }

    /// `ec2:DescribeInstanceAttribute` of an instance: its user data in base64, where it has any.
    pub(crate) async fn instance_user_data(&self, region: &Region, instance: &str) -> Result<Option<String>, AwsError> {
        let parameters = [("InstanceId", instance), ("Attribute", "userData")];
        let answer =
            self.read_query(QueryApi::Ec2, region, "DescribeInstanceAttribute", &parameters, "instanceId").await?;
        Ok(answer.child("userData").and_then(|data| data.text("value")).map(str::to_owned))
    }

    /// `ec2:DescribeLaunchTemplates`: the ids of all of them.
    pub(crate) async fn launch_templates(&self, region: &Region) -> Result<Vec<String>, AwsError> {
        let call = self.call_in(Service::Ec2, region, "DescribeLaunchTemplates");
        let mut templates = Vec::new();
        let ask = async |token| {
            self.query_page(region, "DescribeLaunchTemplates", &[("MaxResults", "200")], "launchTemplates", token).await
        };
        self.each_page(&call, ask, async |page: Element| {
            let ids = page.items("launchTemplates").filter_map(|item| item.text("launchTemplateId"));
            templates.extend(ids.map(|id| super::clean(id, None)));
        })
        .await?;
        Ok(templates)
    }

    /// `ec2:DescribeLaunchTemplateVersions` of a template: every version that has user data, page by page. A hundred to a page: each
    /// may have 22 kB of it.
    pub(crate) async fn launch_template_versions(
        &self,
        region: &Region,
        template: &str,
        mut take: impl AsyncFnMut(TemplateVersion),
    ) -> Result<(), AwsError> {
        let call = self.call_in(Service::Ec2, region, "DescribeLaunchTemplateVersions");
        let parameters = [("LaunchTemplateId", template), ("MaxResults", "100")];
        let ask = async |token| {
            self.query_page(region, "DescribeLaunchTemplateVersions", &parameters, "launchTemplateVersionSet", token)
                .await
        };
        self.each_page(&call, ask, async |page: Element| {
            for item in page.items("launchTemplateVersionSet") {
                let user_data = item.child("launchTemplateData").and_then(|data| data.text("userData"));
                if let Some(user_data) = user_data {
                    let number = super::clean(item.text("versionNumber").unwrap_or("?"), None);
                    take(TemplateVersion { number, user_data: user_data.to_owned() }).await;
                }
            }
        })
        .await
    }

    async fn query_page(
        &self,
        region: &Region,
        operation: &str,
        parameters: &[(&str, &str)],
        list: &str,
        token: Option<String>,
    ) -> Result<(Element, Option<String>), AwsError> {
        let mut parameters = parameters.to_vec();
        parameters.extend(token.as_deref().map(|token| ("NextToken", token)));
        let page = self.read_query(QueryApi::Ec2, region, operation, &parameters, list).await?;
        let next = page.text("nextToken").map(str::to_owned);
        Ok((page, next))
    }
}
