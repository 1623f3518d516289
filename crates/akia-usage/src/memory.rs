//! The memory of a question, in three parts: of who can go to disk with what is over, of who cannot, and of what is on its way.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

/// DataFusion's fair pool, with two differences.
///
/// Who can go to disk shares evenly, and takes all that there is: in one pool with them, a sort that comes later finds nothing for the merge
/// that it begins with, and the question fails. So a part is kept for who cannot; these take what is free of the other part, too.
///
/// Batches on their way from one partition to another are counted, and never refused. Where they are, DataFusion 55 puts them into files,
/// and two partitions that do it at once can wait for each other for ever (<https://github.com/apache/datafusion/issues/24883>). They are
/// few: who sends waits where nobody takes.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Bytes of those who can go to disk, and bytes that are kept for the others.
    spilling: usize,
    others: usize,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// How many can go to disk.
    spillers: usize,
    spilling: usize,
    others: usize,
    on_the_way: usize,
}

/// What a consumer can do about memory that it does not get.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Spilling,
    Other,
    OnTheWay,
}

impl Kind {
    fn of(consumer: &MemoryConsumer) -> Self {
        if consumer.name().starts_with("RepartitionExec[") {
            Self::OnTheWay
        } else if consumer.can_spill() {
            Self::Spilling
        } else {
            Self::Other
        }
    }
}

impl Pool {
    /// So many bytes for who can go to disk, and so many that are kept for the others.
    pub(crate) fn new(spilling: usize, others: usize) -> Self {
        Self { spilling, others, used: Mutex::default() }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    fn of(&mut self, consumer: &MemoryConsumer) -> &mut usize {
        match Kind::of(consumer) {
            Kind::Spilling => &mut self.spilling,
            Kind::Other => &mut self.others,
            Kind::OnTheWay => &mut self.on_the_way,
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Used { spilling, others, on_the_way, .. } = *self.used();
        let Self { spilling: most, others: kept, .. } = self;
        write!(to, "{spilling} of {most} bytes and {others} of {kept} bytes, {on_the_way} bytes on the way")
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &'static str {
        "akia"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.used().spillers += usize::from(Kind::of(consumer) == Kind::Spilling);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.used().spillers -= usize::from(Kind::of(consumer) == Kind::Spilling);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        *self.used().of(reservation.consumer()) += additional;
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        *self.used().of(reservation.consumer()) -= shrink;
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let consumer = reservation.consumer();
        let mut used = self.used();
        let is_free = match Kind::of(consumer) {
            Kind::Spilling => {
                let lent = used.others.saturating_sub(self.others);
                reservation.size() + additional <= self.spilling.saturating_sub(lent) / used.spillers.max(1)
            }
            Kind::Other => used.spilling + used.others + additional <= self.spilling + self.others,
            Kind::OnTheWay => true,
        };
        if is_free {
            *used.of(consumer) += additional;
            return Ok(());
        }
        drop(used);
        Err(DataFusionError::ResourcesExhausted(format!(
            "{} has {} bytes and needs {additional} more: {self}",
            consumer.name(),
            reservation.size()
        )))
    }

    fn reserved(&self) -> usize {
        let used = self.used();
        used.spilling + used.others + used.on_the_way
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.spilling + self.others)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use datafusion::arrow::array::{Int64Array, RecordBatch, StringViewArray};
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::MemTable;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// The question of the issue, in less memory than its groups take. With DataFusion's own pool it never ends.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_question_that_is_larger_than_its_memory_ends() {
        let schema = Arc::new(Schema::new(vec![
            Field::new("g", DataType::Int64, false),
            Field::new("id", DataType::Utf8View, false),
        ]));
        let batch = |number: i64| {
            let rows = number * 64..(number + 1) * 64;
            let groups = Int64Array::from_iter_values(rows.clone().map(|row| row % 13));
            let ids = StringViewArray::from_iter_values(rows.map(|row| format!("{:032}", row % 337)));
            RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(groups), Arc::new(ids)]).unwrap()
        };
        let parts = (0..2).map(|part| (0..312).map(|nth| batch(part * 312 + nth)).collect()).collect();
        let table = Arc::new(MemTable::try_new(Arc::clone(&schema), parts).unwrap());
        for attempt in 0..12 {
            let runtime =
                RuntimeEnvBuilder::new().with_memory_pool(Arc::new(Pool::new(4 << 20, 4 << 20))).build_arc().unwrap();
            let config = SessionConfig::new().with_target_partitions(2).with_batch_size(64);
            let context = SessionContext::new_with_config_rt(config, runtime);
            context.register_table("t", Arc::<MemTable>::clone(&table)).unwrap();
            let question = context.sql("SELECT g, count(DISTINCT id) FROM t GROUP BY g").await.unwrap();
            let answer = tokio::time::timeout(Duration::from_secs(60), question.collect()).await;
            let rows: usize = answer
                .unwrap_or_else(|_| panic!("attempt {attempt} does not end"))
                .unwrap()
                .iter()
                .map(RecordBatch::num_rows)
                .sum();
            assert_eq!(rows, 13);
        }
    }

    #[test]
    fn who_cannot_go_to_disk_has_a_part_of_its_own_and_what_is_free() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(8 << 20, 4 << 20));
        let spilling = |name: &str| MemoryConsumer::new(name).with_can_spill(true).register(&pool);
        let groups = spilling("FinalHashAggregateStream[0]");
        groups.try_grow(8 << 20).unwrap();
        groups.try_grow(1).unwrap_err();
        let merge = MemoryConsumer::new("ExternalSorterMerge[0]").register(&pool);
        merge.try_grow(4 << 20).unwrap();
        merge.try_grow(1).unwrap_err();
        let on_the_way = spilling("RepartitionExec[0]");
        on_the_way.try_grow(64 << 20).unwrap();
        assert_eq!(pool.reserved(), 76 << 20);
        groups.shrink(6 << 20);
        merge.try_grow(4 << 20).unwrap();
        groups.try_grow(2 << 20).unwrap();
        groups.try_grow(1).unwrap_err();
        let sort = spilling("ExternalSorter[0]");
        sort.try_grow(2 << 20).unwrap();
        sort.try_grow(1).unwrap_err();
        drop((groups, merge, sort, on_the_way));
        assert_eq!(pool.reserved(), 0);
    }
}
