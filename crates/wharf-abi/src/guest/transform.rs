//! Transformations and predicates behind the border: a batch per call. A panic fails the record it happened at, as an
//! exception does upstream, and not the batch.

use wharf_api::batch::RecordBatchRef;
use wharf_api::flat::SchemaCache;
use wharf_api::{Applied, ConfigMap, Predicate, RecordBatch, Result, Transformation, Value};

use super::host::HostObject;
use super::panics::contain;
use super::{Instance, Response};
use crate::message::{BatchResult, Message, errors_to_value, map};
use crate::method::plugin as method;
use crate::module::Role;

/// Makes a transformation.
///
/// # Errors
/// Never; a constructor that panics is contained by the caller.
pub fn transformation<T: Transformation + Default + 'static>(
    _: Role,
    _: HostObject,
) -> Result<Box<dyn Instance>> {
    Ok(Box::new(TransformationInstance {
        transformation: T::default(),
        schemas: SchemaCache::default(),
    }))
}

/// Makes a predicate.
///
/// # Errors
/// Never; a constructor that panics is contained by the caller.
pub fn predicate<P: Predicate + Default + 'static>(_: Role, _: HostObject) -> Result<Box<dyn Instance>> {
    Ok(Box::new(PredicateInstance {
        predicate: P::default(),
        schemas: SchemaCache::default(),
    }))
}

struct TransformationInstance<T> {
    transformation: T,
    schemas: SchemaCache,
}

impl<T: Transformation> Instance for TransformationInstance<T> {
    fn call(&mut self, method: u32, args: &[u8]) -> Result<Option<Response>> {
        match method {
            method::CONFIG => Response::message(&super::connector::checked(self.transformation.config())?),
            method::VALIDATE => Response::message(
                &self
                    .transformation
                    .config()
                    .validate(&ConfigMap::from_bytes(args)?),
            ),
            method::CONFIGURE => {
                self.transformation
                    .configure(&<(ConfigMap, String)>::from_bytes(args)?.0)?;
                Response::none()
            }
            method::APPLY => {
                let input = RecordBatchRef::parse(args, &mut self.schemas)?;
                let mut output = RecordBatch::with_capacity(args.len());
                let mut result = BatchResult::default();
                for (position, record) in input.iter().enumerate() {
                    let mut record = record?.to_record(&input)?;
                    let applied =
                        contain(|| self.transformation.apply(&mut record)).and_then(
                            |applied| match applied {
                                Applied::Kept => output.push_record(&record).map(|()| Applied::Kept),
                                Applied::Dropped => Ok(Applied::Dropped),
                            },
                        );
                    match applied {
                        Ok(Applied::Kept) => result.positions.push(position),
                        Ok(Applied::Dropped) => {}
                        Err(error) => result.errors.push((position, error)),
                    }
                }
                result.batch = output.into_finished()?;
                Response::result(result)
            }
            _ => Ok(None),
        }
    }
}

struct PredicateInstance<P> {
    predicate: P,
    schemas: SchemaCache,
}

impl<P: Predicate> Instance for PredicateInstance<P> {
    fn call(&mut self, method: u32, args: &[u8]) -> Result<Option<Response>> {
        match method {
            method::CONFIG => Response::message(&super::connector::checked(self.predicate.config())?),
            method::VALIDATE => {
                Response::message(&self.predicate.config().validate(&ConfigMap::from_bytes(args)?))
            }
            method::CONFIGURE => {
                self.predicate
                    .configure(&<(ConfigMap, String)>::from_bytes(args)?.0)?;
                Response::none()
            }
            method::TEST => {
                let input = RecordBatchRef::parse(args, &mut self.schemas)?;
                let mut decisions = Vec::new();
                let mut errors = Vec::new();
                for (position, record) in input.iter().enumerate() {
                    let record = record?.to_record(&input)?;
                    match contain(|| self.predicate.test(&record)) {
                        Ok(decision) => decisions.push(Value::Boolean(decision)),
                        Err(error) => {
                            decisions.push(Value::Null);
                            errors.push((position, error));
                        }
                    }
                }
                Response::message(&map([
                    ("decisions", Value::Array(decisions)),
                    ("errors", errors_to_value(&errors)),
                ]))
            }
            _ => Ok(None),
        }
    }
}
