//! The tables that DataFusion asks: which files, and what of a question the scan itself answers.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::column::{Column, Table, Text};
use crate::scan::{LogFile, LogScan, Only, Plan, Receipts};
use crate::shares;

/// Log files as a table.
#[derive(Debug, Clone)]
pub struct LogTable {
    /// Which.
    pub table: Table,
    /// The files, in the order in which they are read.
    pub files: Arc<Vec<LogFile>>,
    /// Which events are in the table at all.
    pub only: Only,
    /// The most that a file may inflate to, in bytes.
    pub largest_file: usize,
    /// Where receipts go when a query does not read them as rows. None where a file that cannot be read fails the query.
    pub receipts: Option<Receipts>,
    /// Into how many parts the files are shared out.
    pub parts: Parts,
}

/// Into how many parts the files of a scan are shared out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Parts {
    /// As many as the session has partitions: one for each processor.
    #[default]
    OfSession,
    /// More where a part would be larger than this, in bytes.
    UpTo(u64),
}

impl Parts {
    fn of(self, bytes: u64, session: usize) -> usize {
        match self {
            Self::OfSession => session,
            Self::UpTo(part) => session.max(usize::try_from(bytes.div_ceil(part.max(1))).unwrap_or(usize::MAX)),
        }
    }
}

#[async_trait]
impl TableProvider for LogTable {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let answer = |filter: &&Expr| match narrow(self.table, &mut Only::default(), filter) {
            Some(()) => TableProviderFilterPushDown::Exact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(answer).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut only = self.only.clone();
        for filter in filters {
            narrow(self.table, &mut only, filter);
        }
        let projection = projection.cloned().unwrap_or_else(|| (0..self.schema().fields().len()).collect());
        let files = || self.files.iter().filter(|file| file.may_hold(&only)).cloned();
        let bytes = files().map(|file| file.bytes).sum();
        let parts = self.parts.of(bytes, state.config_options().execution.target_partitions);
        let files = shares::plan(files(), parts)?;
        let plan = Plan { table: self.table, projection, only, largest_file: self.largest_file };
        Ok(Arc::new(LogScan::new(plan, files, self.receipts.clone())?))
    }
}

/// Narrows what is wanted by a filter that the scan answers in full; none where it cannot.
fn narrow(table: Table, only: &mut Only, filter: &Expr) -> Option<()> {
    let column = |expr: &Expr| -> Option<Column> {
        let Expr::Column(column) = expr else { return None };
        table.columns().into_iter().find(|known| known.name() == column.name)
    };
    match filter {
        Expr::Column(_) if column(filter)? == Column::OfUser => only.of_user = true,
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (column(left)?, op, &**right) {
            (Column::Text(kind), Operator::Eq, Expr::Literal(value, _)) if is_told(kind) => {
                only.any_of.push((kind, vec![text(value)?]));
            }
            (Column::Time, op, Expr::Literal(ScalarValue::TimestampSecond(Some(at), _), _)) => {
                let (since, until) = match op {
                    Operator::Gt => (Some(at + 1), None),
                    Operator::GtEq => (Some(*at), None),
                    Operator::Lt => (None, Some(*at)),
                    Operator::LtEq => (None, Some(at + 1)),
                    _ => return None,
                };
                only.since = only.since.max(since);
                only.until = match (only.until, until) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
            }
            _ => return None,
        },
        Expr::InList(list) if !list.negated => {
            let Column::Text(kind) = column(&list.expr)? else { return None };
            let value = |expr: &Expr| if let Expr::Literal(value, _) = expr { text(value) } else { None };
            if !is_told(kind) {
                return None;
            }
            only.any_of.push((kind, list.list.iter().map(value).collect::<Option<_>>()?));
        }
        _ => return None,
    }
    Some(())
}

/// Whether an event has it before a row is made of it.
fn is_told(text: Text) -> bool {
    !matches!(text, Text::Note | Text::Resources)
}

fn text(value: &ScalarValue) -> Option<String> {
    value.try_as_str().flatten().map(str::to_owned)
}
