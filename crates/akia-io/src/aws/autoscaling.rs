//! Launch configurations of Auto Scaling.
//!
//! Source: <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeLaunchConfigurations.html>.

use akia_core::ids::Region;

use super::caller::Caller;
use super::error::AwsError;
use super::options::Service;
use super::reading::QueryApi;
use super::xml::Element;

/// A launch configuration that has user data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LaunchConfiguration {
    pub(crate) arn: String,
    /// In base64.
    pub(crate) user_data: String,
}

impl Caller {
    /// `autoscaling:DescribeLaunchConfigurations`: all that have user data, page by page.
    pub(crate) async fn launch_configurations(
        &self,
        region: &Region,
        mut take: impl AsyncFnMut(LaunchConfiguration),
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "DescribeLaunchConfigurations";
        let call = self.call_in(Service::AutoScaling, region, OPERATION);
        let ask = async |token: Option<String>| {
            let mut parameters = vec![("MaxRecords", "100")];
            parameters.extend(token.as_deref().map(|token| ("NextToken", token)));
            let page =
                self.read_query(QueryApi::AutoScaling, region, OPERATION, &parameters, "LaunchConfigurations").await?;
            let next = page.text("NextToken").map(str::to_owned);
            Ok((page, next))
        };
        self.each_page(&call, ask, async |page: Element| {
            for item in page.items("LaunchConfigurations") {
                let name = item.text("LaunchConfigurationARN").or(item.text("LaunchConfigurationName"));
                if let Some(user_data) = item.text("UserData") {
                    let arn = super::clean(name.unwrap_or("?"), None);
                    take(LaunchConfiguration { arn, user_data: user_data.to_owned() }).await;
                }
            }
        })
        .await
    }
}
