//! What of the configuration the conversions look at.

/// The converter's data keys, parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    /// `enhanced.protobuf.schema.support`: full names instead of short ones.
    pub(crate) enhanced: bool,
    /// `scrub.invalid.names`.
    pub(crate) scrub_names: bool,
    /// `int.for.enums`.
    pub(crate) int_for_enums: bool,
    /// `optional.for.nullables`.
    pub(crate) optional_for_nullables: bool,
    /// `optional.for.proto2`.
    pub(crate) optional_for_proto2: bool,
    /// `wrapper.for.nullables`.
    pub(crate) wrapper_for_nullables: bool,
    /// `wrapper.for.raw.primitives`.
    pub(crate) wrapper_for_raw_primitives: bool,
    /// `generate.struct.for.nulls`.
    pub(crate) struct_for_nulls: bool,
    /// `generate.index.for.unions`.
    pub(crate) index_for_unions: bool,
    /// `flatten.unions`.
    pub(crate) flatten_unions: bool,
    /// `generalized.sum.type.support`.
    pub(crate) generalized_sum_types: bool,
    /// `ignore.default.for.nullables`.
    pub(crate) ignore_default_for_nullables: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enhanced: false,
            scrub_names: false,
            int_for_enums: false,
            optional_for_nullables: false,
            optional_for_proto2: true,
            wrapper_for_nullables: false,
            wrapper_for_raw_primitives: true,
            struct_for_nulls: false,
            index_for_unions: true,
            flatten_unions: false,
            generalized_sum_types: false,
            ignore_default_for_nullables: false,
        }
    }
}
