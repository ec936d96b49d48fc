//! The transforms of a task, in their order, each with its predicate.
//!
//! A transform changes an owned record where it stands, or drops it. Where all are built in, each record goes through them at once
//! ([`TransformationChain::run`]), and nothing is kept for the case that one fails: then the record is made anew and goes through
//! them by the task's rules. When one of them is in a library, all records of a batch first go through the chain transform by
//! transform, one crossing of the border each ([`TransformationChain::pass`]); a record that fails stops where it failed. What
//! failed is tried again and judged by [`finish`](TransformationChain::finish), which the task loops call in the order of the
//! records.
//!
//! What must stay true: a record keeps its place among the others; `pass` reports and retries nothing; a record that left
//! the chain is not given to any later transform.

use std::sync::Arc;

use wharf_abi::host::{RemotePredicate, RemoteTransformation};
use wharf_abi::message::BatchResult;
use wharf_api::batch::Datum;
use wharf_api::flat::SchemaCache;
use wharf_api::{
    Applied, ConnectError, Predicate, Record, RecordBatch, RecordBatchRef, Result, Transformation,
};

use super::errors::{Attempt, RetryWithTolerance, Stage};

/// A transform or predicate that is called for a batch.
pub(crate) trait RemoteTransform: Transformation {
    /// Applies it to each record of a finished batch.
    fn apply_batch(&mut self, batch: &[u8]) -> Result<BatchResult>;
}

impl RemoteTransform for RemoteTransformation {
    fn apply_batch(&mut self, batch: &[u8]) -> Result<BatchResult> {
        Self::apply_batch(self, batch)
    }
}

/// A predicate that is called for a batch.
pub(crate) trait RemoteTest: Predicate {
    /// Decides on each record of a finished batch.
    fn test_batch(&mut self, batch: &[u8]) -> Result<Vec<Result<bool>>>;
}

impl RemoteTest for RemotePredicate {
    fn test_batch(&mut self, batch: &[u8]) -> Result<Vec<Result<bool>>> {
        Self::test_batch(self, batch)
    }
}

/// Where a transform's work is done.
pub(crate) enum TransformPlace {
    Builtin(Box<dyn Transformation>),
    Remote(Box<dyn RemoteTransform>),
}

/// Where a predicate's work is done.
pub(crate) enum PredicatePlace {
    Builtin(Box<dyn Predicate>),
    Remote(Box<dyn RemoteTest>),
}

/// When a transform applies.
pub(crate) struct Condition {
    pub(crate) predicate: PredicatePlace,
    pub(crate) negate: bool,
}

/// One transform, configured.
pub(crate) struct TransformationStage {
    pub(crate) alias: String,
    /// The class as reports name it.
    pub(crate) class: Arc<str>,
    pub(crate) transform: TransformPlace,
    pub(crate) condition: Option<Condition>,
    schemas: SchemaCache,
}

/// A record on its way through the chain.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pending {
    /// It went through so many transforms.
    At { stage: usize, record: Record },
    /// A transform left it out.
    Dropped,
    /// A transform failed at it. The record is there when the transform may be called again.
    Halted {
        stage: usize,
        record: Option<Record>,
        error: ConnectError,
    },
}

/// All transforms of a task.
pub(crate) struct TransformationChain {
    stages: Vec<TransformationStage>,
    /// The record that is on its way, and then the one that has come through.
    record: Record,
}

impl PredicatePlace {
    fn one(&mut self, record: &Record) -> Result<bool> {
        match self {
            Self::Builtin(predicate) => predicate.test(record),
            Self::Remote(predicate) => predicate.test(record),
        }
    }
}

impl TransformationStage {
    pub(crate) fn new(
        alias: impl Into<String>,
        class: impl Into<Arc<str>>,
        transform: TransformPlace,
        condition: Option<Condition>,
    ) -> Self {
        Self {
            alias: alias.into(),
            class: class.into(),
            transform,
            condition,
            schemas: SchemaCache::default(),
        }
    }

    fn is_remote(&self) -> bool {
        let condition = self.condition.as_ref().map(|condition| &condition.predicate);
        matches!(self.transform, TransformPlace::Remote(_))
            || matches!(condition, Some(PredicatePlace::Remote(_)))
    }

    /// Whether the transform is to be applied to this record.
    pub(crate) fn applies_to(&mut self, record: &Record) -> Result<bool> {
        match &mut self.condition {
            None => Ok(true),
            Some(condition) => Ok(condition.predicate.one(record)? != condition.negate),
        }
    }

    /// Changes the record without asking the predicate.
    pub(crate) fn transform(&mut self, record: &mut Record) -> Result<Applied> {
        match &mut self.transform {
            TransformPlace::Builtin(transform) => transform.apply(record),
            TransformPlace::Remote(transform) => transform.apply(record),
        }
    }

    /// The whole step for one record.
    fn apply(&mut self, record: &mut Record) -> Result<Applied> {
        tracing::trace!("applying transform {} ({})", self.alias, self.class);
        if self.applies_to(record)? {
            self.transform(record)
        } else {
            Ok(Applied::Kept)
        }
    }

    /// The step for those of these records that have reached it.
    fn pass(&mut self, at: usize, records: &mut [Pending], keep: bool) -> Result<()> {
        let mut chosen: Vec<usize> = (0..records.len())
            .filter(|position| matches!(&records[*position], Pending::At { stage, .. } if *stage == at))
            .collect();
        if let Some(condition) = &mut self.condition {
            let decisions = decide(&mut condition.predicate, records, &chosen)?;
            let negate = condition.negate;
            let mut applied = Vec::with_capacity(chosen.len());
            for (position, decision) in chosen.into_iter().zip(decisions) {
                match decision {
                    Ok(decision) if decision != negate => applied.push(position),
                    Ok(_) => advance(&mut records[position]),
                    Err(error) => halt(&mut records[position], error),
                }
            }
            chosen = applied;
        }
        if chosen.is_empty() {
            return Ok(());
        }
        match &mut self.transform {
            TransformPlace::Builtin(transform) => {
                for position in chosen {
                    let Pending::At { stage, record } = &mut records[position] else {
                        continue;
                    };
                    let kept = keep.then(|| record.clone());
                    match transform.apply(record) {
                        Ok(Applied::Kept) => *stage += 1,
                        Ok(Applied::Dropped) => records[position] = Pending::Dropped,
                        Err(error) => {
                            records[position] = Pending::Halted {
                                stage: at,
                                record: kept,
                                error,
                            };
                        }
                    }
                }
            }
            TransformPlace::Remote(transform) => {
                let mut batch = batch_of(records, &chosen)?;
                let result = transform.apply_batch(batch.finish()?)?;
                self.take(at, result, records, &chosen)?;
            }
        }
        Ok(())
    }

    /// Reads what a library made of the chosen records.
    fn take(
        &mut self,
        at: usize,
        result: BatchResult,
        records: &mut [Pending],
        chosen: &[usize],
    ) -> Result<()> {
        let wrong =
            || ConnectError::connect(format!("the transform {} answered for other records", self.class));
        for (index, error) in result.errors {
            let position = *chosen.get(index).ok_or_else(wrong)?;
            halt(&mut records[position], error);
        }
        let changed = RecordBatchRef::parse(&result.batch, &mut self.schemas)?;
        if changed.len() != result.positions.len() {
            return Err(wrong());
        }
        let mut answered = vec![false; chosen.len()];
        for (record, index) in changed.iter().zip(&result.positions) {
            let position = *chosen.get(*index).ok_or_else(wrong)?;
            if std::mem::replace(&mut answered[*index], true) {
                return Err(wrong());
            }
            records[position] = Pending::At {
                stage: at + 1,
                record: record?.to_record(&changed)?,
            };
        }
        for (index, position) in chosen.iter().enumerate() {
            // What is neither changed nor failed was left out.
            if !answered[index] && matches!(records[*position], Pending::At { .. }) {
                records[*position] = Pending::Dropped;
            }
        }
        Ok(())
    }
}

fn batch_of(records: &[Pending], chosen: &[usize]) -> Result<RecordBatch> {
    let mut batch = RecordBatch::new();
    for position in chosen {
        if let Pending::At { record, .. } = &records[*position] {
            batch.push_record(record)?;
        }
    }
    Ok(batch)
}

fn decide(
    predicate: &mut PredicatePlace,
    records: &[Pending],
    chosen: &[usize],
) -> Result<Vec<Result<bool>>> {
    let decisions = match predicate {
        PredicatePlace::Builtin(predicate) => chosen
            .iter()
            .filter_map(|position| match &records[*position] {
                Pending::At { record, .. } => Some(predicate.test(record)),
                _ => None,
            })
            .collect(),
        PredicatePlace::Remote(_) if chosen.is_empty() => Vec::new(),
        PredicatePlace::Remote(predicate) => predicate.test_batch(batch_of(records, chosen)?.finish()?)?,
    };
    if decisions.len() != chosen.len() {
        return Err(ConnectError::connect(format!(
            "a predicate decided on {} of {} records",
            decisions.len(),
            chosen.len()
        )));
    }
    Ok(decisions)
}

fn advance(pending: &mut Pending) {
    if let Pending::At { stage, .. } = pending {
        *stage += 1;
    }
}

fn halt(pending: &mut Pending, error: ConnectError) {
    if let Pending::At { stage, record } = std::mem::replace(pending, Pending::Dropped) {
        *pending = Pending::Halted {
            stage,
            record: Some(record),
            error,
        };
    }
}

impl Pending {
    /// A record that has gone through no transform yet.
    pub(crate) fn new(record: Record) -> Self {
        Self::At { stage: 0, record }
    }
}

impl TransformationChain {
    pub(crate) fn new(stages: Vec<TransformationStage>) -> Self {
        Self {
            stages,
            record: Record::source(String::new(), None, None),
        }
    }

    /// The transforms one by one, for a look at what each does.
    pub(crate) fn stages_mut(&mut self) -> &mut [TransformationStage] {
        &mut self.stages
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.stages.is_empty()
    }

    /// Whether records are to be given to [`pass`](Self::pass), a batch at a time.
    pub(crate) fn is_remote(&self) -> bool {
        self.stages.iter().any(TransformationStage::is_remote)
    }

    /// Whether a record has gone through all transforms.
    pub(crate) fn is_through(&self, pending: &Pending) -> bool {
        matches!(pending, Pending::At { stage, .. } if *stage == self.stages.len())
    }

    /// Takes all records through the chain once. `keep` says that what fails may be tried again.
    ///
    /// # Errors
    /// When a plugin fails as a whole, not at a record.
    pub(crate) fn pass(&mut self, records: &mut [Pending], keep: bool) -> Result<()> {
        for (at, stage) in self.stages.iter_mut().enumerate() {
            stage.pass(at, records, keep)?;
        }
        Ok(())
    }

    /// Key and value after the whole chain, where they lie, when all transforms only put parts in place of them.
    #[inline]
    pub(crate) fn project<'v>(&self, key: Datum<'v>, value: Datum<'v>) -> Option<(Datum<'v>, Datum<'v>)> {
        self.stages.iter().try_fold((key, value), |(key, value), stage| {
            match (&stage.transform, &stage.condition) {
                (TransformPlace::Builtin(transform), None) => transform.project(key, value),
                _ => None,
            }
        })
    }

    /// Takes the record that `fill` writes through the whole chain; `None` when a transform leaves it out. When a transform fails,
    /// `again` makes the record anew, and it is taken through by the task's rules.
    ///
    /// # Errors
    /// When the record cannot be made.
    #[inline]
    pub(crate) fn run(
        &mut self,
        rules: &RetryWithTolerance,
        fill: impl FnOnce(&mut Record) -> Result<()>,
        again: impl FnOnce() -> Result<Record>,
    ) -> Result<Attempt<Option<&mut Record>>> {
        fill(&mut self.record)?;
        match at_once(&mut self.stages, &mut self.record) {
            Ok(applied) => Ok(Attempt::Done(self.outcome(applied))),
            Err(_) => Ok(self.finish(Pending::new(again()?), rules)),
        }
    }

    /// Takes a record through the whole chain, once; `None` when a transform fails.
    pub(crate) fn run_once(&mut self, mut record: Record) -> Option<Pending> {
        match at_once(&mut self.stages, &mut record) {
            Ok(Applied::Kept) => Some(Pending::At {
                stage: self.stages.len(),
                record,
            }),
            Ok(Applied::Dropped) => Some(Pending::Dropped),
            Err(_) => None,
        }
    }

    /// Takes one record to the end of the chain, from wherever it is, by the task's rules; `None` when a transform leaves it out.
    pub(crate) fn finish(
        &mut self,
        pending: Pending,
        rules: &RetryWithTolerance,
    ) -> Attempt<Option<&mut Record>> {
        let Self { stages, record } = self;
        let (mut at, mut kept, mut failed) = match pending {
            Pending::Dropped => return Attempt::Done(None),
            Pending::At { stage, record: at } if !rules.may_retry() => {
                *record = at;
                match at_once(&mut stages[stage..], record) {
                    Ok(applied) => return Attempt::Done(self.outcome(applied)),
                    Err((further, error)) => (stage + further, None, Some(error)),
                }
            }
            Pending::At { stage, record } => (stage, Some(record), None),
            Pending::Halted { stage, record, error } => (stage, record, Some(error)),
        };
        while let Some(stage) = stages.get_mut(at) {
            let class = Arc::clone(&stage.class);
            let operation = || match &kept {
                Some(kept) => {
                    record.clone_from(kept);
                    stage.apply(record)
                }
                None => Err(ConnectError::illegal_state(
                    "a record that was not kept is tried again; this is a defect of wharf",
                )),
            };
            let attempt = match failed.take() {
                None => rules.execute(Stage::Transformation, &class, operation),
                Some(error) => rules.resume(Stage::Transformation, &class, error, operation),
            };
            match attempt {
                Attempt::Done(Applied::Kept) => kept = Some(record.clone()),
                other => return other.map(|_| None),
            }
            at += 1;
        }
        if let Some(kept) = kept {
            *record = kept;
        }
        Attempt::Done(self.outcome(Applied::Kept))
    }

    #[inline]
    fn outcome(&mut self, applied: Applied) -> Option<&mut Record> {
        (applied == Applied::Kept).then_some(&mut self.record)
    }
}

impl Default for TransformationChain {
    /// No transforms.
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

/// Takes a record through these transforms; where among them and why it failed. What it then holds is of no use.
#[inline]
fn at_once(
    stages: &mut [TransformationStage],
    record: &mut Record,
) -> std::result::Result<Applied, (usize, ConnectError)> {
    for (at, stage) in stages.iter_mut().enumerate() {
        match stage.apply(record) {
            Ok(Applied::Kept) => {}
            Ok(Applied::Dropped) => return Ok(Applied::Dropped),
            Err(error) => return Err((at, error)),
        }
    }
    Ok(Applied::Kept)
}

#[cfg(test)]
#[path = "transformation_chain_tests.rs"]
mod tests;
