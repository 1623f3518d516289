//! Several `count(DISTINCT …)` in one question, answered in two stages: equal values are brought together first, then counted.
//!
//! DataFusion does that where one value is counted. Where there are several it keeps a set for each group and value, which takes
//! gigabytes that its pool does not know of, and cannot go to disk.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::Result;
use datafusion::functions::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::{count, grouping, max, min, sum};
use datafusion::logical_expr::conditional_expressions::CaseBuilder;
use datafusion::logical_expr::expr::{AggregateFunction, GroupingSet};
use datafusion::logical_expr::{
    Aggregate, Expr, ExprFunctionExt, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast, ident, lit,
};
use datafusion::optimizer::AnalyzerRule;

use crate::column::{Column, SET, Table};
use crate::table::LogTable;

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
    let groups: Vec<Expr> = (0..aggregate.group_expr.len()).map(|at| ident(group(at))).collect();
    let first = match question.counted_by_scan(aggregate, &groups)? {
        Some(first) => first,
        None => question.counted_here(aggregate, &groups)?,
    };
    let told = question.asked.iter().map(|asked| match *asked {
        Asked::Distinct(at) => first.distinct(at),
        // Each row of one value has its part: those of the others have the same parts once more.
        Asked::Sum(at) | Asked::Count(at) => first.of_first_value(sum(ident(part(at)))),
        Asked::Min(at) => first.of_first_value(min(ident(part(at)))),
        Asked::Max(at) => first.of_first_value(max(ident(part(at)))),
    });
    let told = told.enumerate().map(|(at, expr)| Ok(expr?.alias(answer(at)))).collect::<Result<Vec<_>>>()?;
    let second = first.plan.aggregate(groups.clone(), told)?;
    let answers = question.asked.iter().enumerate().map(|(at, asked)| match asked {
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

/// The first stage: a row for each value in each group, with the parts of what else is asked.
struct First {
    plan: LogicalPlanBuilder,
    rows: Rows,
}

/// How the rows of one value are told from those of another.
#[derive(Clone, Copy)]
enum Rows {
    /// There is one value alone.
    OfOne,
    /// Each value has a column, which is null in rows of the others.
    InColumns,
    /// All are in one column, and another one has the value's number.
    Numbered,
}

/// A column of the first stage that is 0 in the rows of the first value.
const OTHER: &str = "__akia_other";
/// The column of all values.
const VALUE: &str = "__akia_value";

impl First {
    /// How many values of this number there are.
    fn distinct(&self, at: usize) -> Result<Expr> {
        match self.rows {
            // Null is not counted.
            Rows::OfOne | Rows::InColumns => Ok(count(ident(value(at)))),
            Rows::Numbered => count(ident(VALUE)).filter(ident(SET).eq(lit(at as i64))).build(),
        }
    }

    fn of_first_value(&self, expr: Expr) -> Result<Expr> {
        match self.rows {
            Rows::OfOne => Ok(expr),
            Rows::InColumns => expr.filter(ident(OTHER).eq(lit(0))).build(),
            Rows::Numbered => expr.filter(ident(SET).eq(lit(0_i64))).build(),
        }
    }
}

impl Question {
    /// By what is asked for of the rows of any plan.
    fn counted_here(&self, aggregate: &Aggregate, groups: &[Expr]) -> Result<First> {
        let values = self.distinct.iter().cloned().enumerate().map(|(at, expr)| expr.alias(value(at)));
        let named = LogicalPlanBuilder::from(Arc::clone(&aggregate.input)).project(named(aggregate, values))?;
        let set = |at: usize| -> Vec<Expr> { groups.iter().cloned().chain([ident(value(at))]).collect() };
        if self.distinct.len() == 1 {
            return Ok(First { plan: named.aggregate(set(0), self.parts())?, rows: Rows::OfOne });
        }
        let sets = Expr::GroupingSet(GroupingSet::GroupingSets((0..self.distinct.len()).map(set).collect()));
        let is_other = grouping(ident(value(0))).alias(OTHER);
        Ok(First { plan: named.aggregate([sets], self.parts().chain([is_other]))?, rows: Rows::InColumns })
    }

    /// By the scan of logs itself, which brings equal values together while it reads. None where the question is about something else, or
    /// asks of the table what a scan cannot count apart.
    fn counted_by_scan(&self, aggregate: &Aggregate, groups: &[Expr]) -> Result<Option<First>> {
        let (scan, filter) = match &*aggregate.input {
            LogicalPlan::TableScan(scan) => (scan, None),
            LogicalPlan::Filter(filter) => match &*filter.input {
                LogicalPlan::TableScan(scan) => (scan, Some(&filter.predicate)),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let provider = source_as_provider(&scan.source)?;
        let Some(logs) = provider.downcast_ref::<LogTable>() else { return Ok(None) };
        let is_text = |expr: &Expr| expr.get_type(aggregate.input.schema()).is_ok_and(|kind| kind.is_string());
        let is_plain = scan.projection.is_none() && scan.filters.is_empty() && scan.fetch.is_none();
        if logs.table != Table::Calls || !logs.sets.is_empty() || !is_plain || !self.distinct.iter().all(is_text) {
            return Ok(None);
        }
        let columns = logs.table.columns();
        let of_all: Vec<&Expr> = aggregate.group_expr.iter().chain(filter).collect();
        let set = |(at, value): (usize, &Expr)| {
            let parts = self.parts.iter().filter(|_| at == 0);
            let read = of_all.iter().copied().chain([value]).chain(parts).flat_map(Expr::column_refs);
            let places = read.map(|read| columns.iter().position(|column| column.name() == read.name()));
            places.collect::<Option<BTreeSet<usize>>>()
        };
        let Some(sets) = self.distinct.iter().enumerate().map(set).collect::<Option<Vec<_>>>() else { return Ok(None) };
        // How often and when is not what rows are told apart by, but of parts.
        let is_measure =
            |expr: &&Expr| expr.column_refs().iter().any(|read| ["calls", "first", "last"].contains(&read.name()));
        if of_all.iter().copied().chain(&self.distinct).any(|expr| is_measure(&expr)) {
            return Ok(None);
        }
        let measures = |place: &usize| matches!(columns[*place], Column::Calls | Column::First | Column::Last);
        let sets = sets.into_iter().map(|set| set.into_iter().filter(|place| !measures(place)).collect()).collect();
        let counted = provider_as_source(Arc::new(LogTable { sets, ..logs.clone() }));
        let mut plan = LogicalPlanBuilder::scan(scan.table_name.clone(), counted, None)?;
        if let Some(filter) = filter {
            plan = plan.filter(filter.clone())?;
        }
        let numbered = self.distinct.iter().enumerate();
        let mut values = CaseBuilder::new(Some(Box::new(ident(SET))), Vec::new(), Vec::new(), None);
        let mut value = None;
        for (at, expr) in numbered {
            value = Some(values.when(lit(at as i64), cast(expr.clone(), DataType::Utf8View)).end()?);
        }
        let value = value.map(|value| value.alias(VALUE));
        let plan = plan.project(named(aggregate, value.into_iter()).chain([ident(SET)]))?;
        let by = groups.iter().cloned().chain([ident(SET), ident(VALUE)]);
        Ok(Some(First { plan: plan.aggregate(by, self.parts())?, rows: Rows::Numbered }))
    }

    fn parts(&self) -> impl Iterator<Item = Expr> {
        self.parts.iter().cloned().enumerate().map(|(at, expr)| expr.alias(part(at)))
    }
}

/// What the first stage reads: groups and values by their names, and what parts are made of as it is.
fn named(aggregate: &Aggregate, values: impl Iterator<Item = Expr>) -> impl Iterator<Item = Expr> {
    let input = aggregate.input.schema().columns().into_iter().map(Expr::Column);
    let groups = aggregate.group_expr.iter().cloned().enumerate().map(|(at, expr)| expr.alias(group(at)));
    input.chain(groups).chain(values)
}

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
