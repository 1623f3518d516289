//! Parameters and outputs of CloudFormation stacks. What a template marks as NoEcho comes as asterisks.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html>.

use akia_core::ids::Region;

use super::caller::Caller;
use super::error::AwsError;
use super::options::Service;
use super::reading::QueryApi;
use super::xml::Element;

/// A stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stack {
    /// Its ARN.
    pub(crate) id: String,
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) outputs: Vec<(String, String)>,
}

impl Caller {
    /// `cloudformation:DescribeStacks`: all that are not deleted, page by page.
    pub(crate) async fn stacks(&self, region: &Region, mut take: impl AsyncFnMut(Stack)) -> Result<(), AwsError> {
        const OPERATION: &str = "DescribeStacks";
        let call = self.call_in(Service::CloudFormation, region, OPERATION);
        let ask = async |token: Option<String>| {
            let parameters: Vec<_> = token.as_deref().map(|token| ("NextToken", token)).into_iter().collect();
            let page = self.read_query(QueryApi::CloudFormation, region, OPERATION, &parameters, "Stacks").await?;
            let next = page.text("NextToken").map(str::to_owned);
            Ok((page, next))
        };
        self.each_page(&call, ask, async |page: Element| {
            for item in page.items("Stacks") {
                let id = item.text("StackId").or(item.text("StackName")).unwrap_or("?");
                take(Stack {
                    id: super::clean(id, None),
                    parameters: pairs(item, "Parameters", "ParameterKey", "ParameterValue"),
                    outputs: pairs(item, "Outputs", "OutputKey", "OutputValue"),
                })
                .await;
            }
        })
        .await
    }
}

fn pairs(element: &Element, list: &str, key: &str, value: &str) -> Vec<(String, String)> {
    let pair = |item: &Element| Some((item.text(key)?.to_owned(), item.raw_text(value)?.to_owned()));
    element.items(list).filter_map(pair).collect()
}
