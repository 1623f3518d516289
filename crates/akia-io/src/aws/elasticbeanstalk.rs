//! Options of Elastic Beanstalk environments, among which are the variables of their applications.
//!
//! Source: <https://docs.aws.amazon.com/elasticbeanstalk/latest/api/API_DescribeConfigurationSettings.html>.

use akia_core::ids::Region;

use super::caller::Caller;
use super::error::AwsError;
use super::options::Service;
use super::reading::QueryApi;
use super::xml::Element;

/// An environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApplicationEnvironment {
    pub(crate) arn: String,
    pub(crate) application: String,
    pub(crate) name: String,
}

impl Caller {
    /// `elasticbeanstalk:DescribeEnvironments`: all that are not deleted.
    pub(crate) async fn application_environments(
        &self,
        region: &Region,
    ) -> Result<Vec<ApplicationEnvironment>, AwsError> {
        const OPERATION: &str = "DescribeEnvironments";
        let call = self.call_in(Service::ElasticBeanstalk, region, OPERATION);
        let mut environments = Vec::new();
        let ask = async |token: Option<String>| {
            let mut parameters = vec![("MaxRecords", "1000")];
            parameters.extend(token.as_deref().map(|token| ("NextToken", token)));
            let page =
                self.read_query(QueryApi::ElasticBeanstalk, region, OPERATION, &parameters, "Environments").await?;
            let next = page.text("NextToken").map(str::to_owned);
            Ok((page, next))
        };
        self.each_page(&call, ask, async |page: Element| {
            environments.extend(page.items("Environments").filter_map(|item| {
                let name = item.text("EnvironmentName")?.to_owned();
                Some(ApplicationEnvironment {
                    arn: super::clean(item.text("EnvironmentArn").unwrap_or(&name), None),
                    application: item.text("ApplicationName")?.to_owned(),
                    name,
                })
            }));
        })
        .await?;
        Ok(environments)
    }

    /// `elasticbeanstalk:DescribeConfigurationSettings`: every option of an environment that has a value.
    pub(crate) async fn environment_options(
        &self,
        region: &Region,
        environment: &ApplicationEnvironment,
    ) -> Result<Vec<(String, String)>, AwsError> {
        const OPERATION: &str = "DescribeConfigurationSettings";
        let parameters =
            [("ApplicationName", environment.application.as_str()), ("EnvironmentName", environment.name.as_str())];
        let answer = self
            .read_query(QueryApi::ElasticBeanstalk, region, OPERATION, &parameters, "ConfigurationSettings")
            .await?;
        let options = answer.items("ConfigurationSettings").flat_map(|settings| settings.items("OptionSettings"));
        let pair = |item: &Element| Some((item.text("OptionName")?.to_owned(), item.raw_text("Value")?.to_owned()));
        Ok(options.filter_map(pair).collect())
    }
}
