//! The memory of a question: bounded, shared out evenly between all who can go to disk with what is over.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::error::Result;
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

/// DataFusion's fair pool, but for batches on their way from one partition to another: those are counted, and never refused.
///
/// Where they are, DataFusion 55 puts them into files, and two partitions that do it at once can wait for each other for ever
/// (<https://github.com/apache/datafusion/issues/24883>). They are few: who sends waits where nobody takes.
#[derive(Debug)]
pub(crate) struct Pool {
    fair: FairSpillPool,
    on_the_way: AtomicUsize,
}

impl Pool {
    pub(crate) fn new(bytes: usize) -> Self {
        Self { fair: FairSpillPool::new(bytes), on_the_way: AtomicUsize::new(0) }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}, {} bytes on the way", self.fair, self.on_the_way.load(Ordering::Relaxed))
    }
}

fn is_on_the_way(consumer: &MemoryConsumer) -> bool {
    consumer.name().starts_with("RepartitionExec[")
}

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        "akia"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if !is_on_the_way(consumer) {
            self.fair.register(consumer);
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if !is_on_the_way(consumer) {
            self.fair.unregister(consumer);
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        if is_on_the_way(reservation.consumer()) {
            self.on_the_way.fetch_add(additional, Ordering::Relaxed);
        } else {
            self.fair.grow(reservation, additional);
        }
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        if is_on_the_way(reservation.consumer()) {
            self.on_the_way.fetch_sub(shrink, Ordering::Relaxed);
        } else {
            self.fair.shrink(reservation, shrink);
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        if is_on_the_way(reservation.consumer()) {
            self.grow(reservation, additional);
            return Ok(());
        }
        self.fair.try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.fair.reserved() + self.on_the_way.load(Ordering::Relaxed)
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.fair.memory_limit()
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
            let runtime = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(Pool::new(4 << 20))).build_arc().unwrap();
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
}
