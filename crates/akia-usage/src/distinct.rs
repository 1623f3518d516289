//! Several `count(DISTINCT …)` in one question, answered in two stages: equal values are brought together first, then counted.
//!
//! DataFusion does that where one value is counted. Where there are several it keeps a set for each group and value, which takes
//! gigabytes that its pool does not know of, and cannot go to disk.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{count, grouping, max, min, sum};
use datafusion::logical_expr::expr::{AggregateFunction, GroupingSet};
use datafusion::logical_expr::{Aggregate, Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, cast, ident, lit};
use datafusion::optimizer::AnalyzerRule;

/// Rewrites such questions. Before `grouping` is resolved, and types are.
#[derive(Debug)]
pub(crate) struct InTwoStages;

impl AnalyzerRule for InTwoStages {
    fn name(&self) -> &'static str {
        "akia_distinct_in_two_stages"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| match &node {
            LogicalPlan::Aggregate(aggregate) => {
                Ok(in_two_stages(aggregate)?.map_or(Transformed::no(node), Transformed::yes))
            }
            _ => Ok(Transformed::no(node)),
        })?;
        Ok(rewritten.data)
    }
}

/// What is asked for each group.
enum Asked {
    /// How many different values there are: which of the values that are told apart.
    Distinct(usize),
    /// What can be put together from its parts: which of the parts.
    Sum(usize),
    Count(usize),
    Min(usize),
    Max(usize),
}

/// The same in two stages; none where it is better, or only possible, in one.
fn in_two_stages(aggregate: &Aggregate) -> Result<Option<LogicalPlan>> {
    let Some(question) = Question::of(aggregate) else { return Ok(None) };
    let Question { asked, distinct, parts } = question;
    let groups: Vec<Expr> = (0..aggregate.group_expr.len()).map(|at| ident(group(at))).collect();
    let named = aggregate.group_expr.iter().cloned().enumerate().map(|(at, expr)| expr.alias(group(at)));
    let values = distinct.iter().cloned().enumerate().map(|(at, expr)| expr.alias(value(at)));
    // Everything else that the parts are made of goes through as it is.
    let input = aggregate.input.schema().columns().into_iter().map(Expr::Column);
    let named = LogicalPlanBuilder::from(Arc::clone(&aggregate.input)).project(input.chain(named).chain(values))?;
    // The first stage: a row for each value in each group; what else is asked is in those of the first value.
    let set = |at: usize| -> Vec<Expr> { groups.iter().cloned().chain([ident(value(at))]).collect() };
    let parts = parts.into_iter().enumerate().map(|(at, expr)| expr.alias(part(at)));
    let has_others = distinct.len() > 1;
    let first = if has_others {
        let sets = Expr::GroupingSet(GroupingSet::GroupingSets((0..distinct.len()).map(set).collect()));
        named.aggregate([sets], parts.chain([grouping(ident(value(0))).alias(OTHER)]))?
    } else {
        named.aggregate(set(0), parts)?
    };
    // The second.
    let of_first = |expr: Expr| if has_others { expr.filter(ident(OTHER).eq(lit(0))).build() } else { Ok(expr) };
    let told = asked.iter().map(|asked| match *asked {
        // Null is in each row of another value, and is not counted.
        Asked::Distinct(at) => Ok(count(ident(value(at)))),
        Asked::Sum(at) | Asked::Count(at) => of_first(sum(ident(part(at)))),
        Asked::Min(at) => Ok(min(ident(part(at)))),
        Asked::Max(at) => Ok(max(ident(part(at)))),
    });
    let told = told.enumerate().map(|(at, expr)| Ok(expr?.alias(answer(at)))).collect::<Result<Vec<_>>>()?;
    let second = first.aggregate(groups.clone(), told)?;
    let answers = asked.iter().enumerate().map(|(at, asked)| match asked {
        Asked::Count(_) => coalesce(vec![ident(answer(at)), lit(0_i64)]),
        _ => ident(answer(at)),
    });
    // With the names and types of the question.
    let columns = groups.into_iter().chain(answers).zip(aggregate.schema.iter());
    let columns = columns.map(|(expr, (qualifier, field))| {
        cast(expr, field.data_type().clone()).alias_qualified(qualifier.cloned(), field.name())
    });
    Ok(Some(second.project(columns)?.build()?))
}

/// A column of the first stage that is 0 in the rows of the first value.
const OTHER: &str = "__akia_other";

fn group(at: usize) -> String {
    format!("__akia_group_{at}")
}

fn value(at: usize) -> String {
    format!("__akia_value_{at}")
}

fn part(at: usize) -> String {
    format!("__akia_part_{at}")
}

fn answer(at: usize) -> String {
    format!("__akia_answer_{at}")
}

/// A question that takes two stages.
struct Question {
    asked: Vec<Asked>,
    distinct: Vec<Expr>,
    parts: Vec<Expr>,
}

impl Question {
    fn of(aggregate: &Aggregate) -> Option<Self> {
        if matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_), ..]) {
            return None;
        }
        let mut question = Self { asked: Vec::new(), distinct: Vec::new(), parts: Vec::new() };
        for expr in &aggregate.aggr_expr {
            let Expr::AggregateFunction(AggregateFunction { func, params }) = expr else { return None };
            let [arg] = params.args.as_slice() else { return None };
            if !params.order_by.is_empty() || params.null_treatment.is_some() {
                return None;
            }
            let asked = match (func.name(), params.distinct) {
                ("count", true) if params.filter.is_none() => {
                    let known = question.distinct.iter().position(|known| known == arg);
                    question.asked.push(Asked::Distinct(known.unwrap_or(question.distinct.len())));
                    if known.is_none() {
                        question.distinct.push(arg.clone());
                    }
                    continue;
                }
                ("min", _) => Asked::Min,
                ("max", _) => Asked::Max,
                ("sum", false) => Asked::Sum,
                ("count", false) => Asked::Count,
                _ => return None,
            };
            question.asked.push(asked(question.parts.len()));
            question.parts.push(expr.clone());
        }
        // One value beside nothing that is counted is what DataFusion does as well.
        let is_counted = question.asked.iter().any(|asked| matches!(asked, Asked::Count(_)));
        (question.distinct.len() > usize::from(!is_counted)).then_some(question)
    }
}
