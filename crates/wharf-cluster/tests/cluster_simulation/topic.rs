//! The config topic as a broker has it: records at offsets, with holes where transactions end.

use wharf_cluster::topic_record::TopicRecord;
use wharf_test_services::Random;

#[derive(Default)]
pub(crate) struct Topic {
    pub(crate) records: Vec<(i64, TopicRecord)>,
    next: i64,
}

impl Topic {
    pub(crate) fn append(&mut self, random: &mut Random, records: Vec<TopicRecord>) {
        for record in records {
            self.records.push((self.next, record));
            self.next += 1;
        }
        self.next += i64::from(random.below_u64(3) == 0);
    }

    pub(crate) fn end(&self) -> usize {
        self.records.len()
    }
}
