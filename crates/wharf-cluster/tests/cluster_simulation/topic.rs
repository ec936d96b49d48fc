//! The config topic as a broker has it: records at offsets, with holes where transactions end.

use wharf_cluster::topic_record::TopicRecord;
use wharf_test_services::Random;

#[derive(Default)]
pub(crate) struct Topic {
    pub(crate) records: Vec<(i64, TopicRecord)>,
    next: i64,
}

impl Topic {
    /// Some are there twice, as when the answer to a write is lost and the producer repeats it.
    pub(crate) fn append(&mut self, random: &mut Random, records: Vec<TopicRecord>) {
        let times = if self.next % 11 == 5 { 2 } else { 1 };
        for _ in 0..times {
            for record in &records {
                self.records.push((self.next, record.clone()));
                self.next += 1;
            }
        }
        self.next += i64::from(random.below_u64(3) == 0);
    }

    pub(crate) fn end(&self) -> usize {
        self.records.len()
    }
}
