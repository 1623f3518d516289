//! The memory of a question, in three parts: of who can go to disk with what is over, of who cannot, and of what is on its way.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, GreedyMemoryPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// DataFusion's pools, kept apart.
///
/// Who can go to disk shares evenly, and takes all that there is: in one pool with them, a sort that comes later finds nothing for the merge
/// that it begins with, and the question fails.
///
/// Batches on their way from one partition to another are counted, and never refused. Where they are, DataFusion 55 puts them into files,
/// and two partitions that do it at once can wait for each other for ever (<https://github.com/apache/datafusion/issues/24883>). They are
/// few: who sends waits where nobody takes.
#[derive(Debug)]
pub(crate) struct Pool {
    spilling: FairSpillPool,
    others: GreedyMemoryPool,
    on_the_way: AtomicUsize,
}

impl Pool {
    /// So many bytes for who can go to disk, and for who cannot.
    pub(crate) fn new(spilling: usize, others: usize) -> Self {
        Self {
            spilling: FairSpillPool::new(spilling),
            others: GreedyMemoryPool::new(others),
            on_the_way: AtomicUsize::new(0),
        }
    }

    /// The pool that a consumer takes from; none where it is never refused.
    fn of(&self, consumer: &MemoryConsumer) -> Option<&dyn MemoryPool> {
        if consumer.name().starts_with("RepartitionExec[") {
            None
        } else if consumer.can_spill() {
            Some(&self.spilling)
        } else {
            Some(&self.others)
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on_the_way = self.on_the_way.load(Ordering::Relaxed);
        write!(to, "{}, {}, {on_the_way} bytes on the way", self.spilling, self.others)
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &'static str {
        "akia"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if let Some(pool) = self.of(consumer) {
            pool.register(consumer);
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if let Some(pool) = self.of(consumer) {
            pool.unregister(consumer);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        match self.of(reservation.consumer()) {
            Some(pool) => pool.grow(reservation, additional),
            None => drop(self.on_the_way.fetch_add(additional, Ordering::Relaxed)),
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        match self.of(reservation.consumer()) {
            Some(pool) => pool.shrink(reservation, shrink),
            None => drop(self.on_the_way.fetch_sub(shrink, Ordering::Relaxed)),
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        match self.of(reservation.consumer()) {
            Some(pool) => pool.try_grow(reservation, additional),
            None => {
                self.grow(reservation, additional);
                Ok(())
            }
        }
    }

    fn reserved(&self) -> usize {
        self.spilling.reserved() + self.others.reserved() + self.on_the_way.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.spilling.memory_limit()
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
    fn who_cannot_go_to_disk_has_what_others_leave_of_theirs() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(8 << 20, 4 << 20));
        let groups = MemoryConsumer::new("FinalHashAggregateStream[0]").with_can_spill(true).register(&pool);
        groups.try_grow(8 << 20).unwrap();
        groups.try_grow(1).unwrap_err();
        let merge = MemoryConsumer::new("ExternalSorterMerge[0]").register(&pool);
        merge.try_grow(4 << 20).unwrap();
        merge.try_grow(1).unwrap_err();
        let on_the_way = MemoryConsumer::new("RepartitionExec[0]").with_can_spill(true).register(&pool);
        on_the_way.try_grow(64 << 20).unwrap();
        assert_eq!(pool.reserved(), 76 << 20);
        drop((groups, merge, on_the_way));
        assert_eq!(pool.reserved(), 0);
    }
}
