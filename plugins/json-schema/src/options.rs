//! What of the configuration the conversions look at.

/// The converter's data keys, parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    /// `object.additional.properties`.
    pub(crate) additional_properties: bool,
    /// `use.optional.for.nonrequired`.
    pub(crate) optional_for_nonrequired: bool,
    /// `ignore.modern.dialects`.
    pub(crate) ignore_modern_dialects: bool,
    /// `decimal.format` is NUMERIC.
    pub(crate) numeric_decimals: bool,
    /// `flatten.singleton.unions`.
    pub(crate) flatten_singleton_unions: bool,
    /// `preserve.additional.properties`.
    pub(crate) preserve_additional_properties: bool,
    /// `generalized.sum.type.support`.
    pub(crate) generalized_sum_types: bool,
    /// `ignore.default.for.nullables`.
    pub(crate) ignore_default_for_nullables: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            additional_properties: true,
            optional_for_nonrequired: false,
            ignore_modern_dialects: false,
            numeric_decimals: false,
            flatten_singleton_unions: true,
            preserve_additional_properties: false,
            generalized_sum_types: false,
            ignore_default_for_nullables: false,
        }
    }
}
