//! Tests of the keys of transformations and predicates in the merged validation.

use super::*;

/// Keys under an alias, with group, order, value and errors.
fn under<'a>(infos: &'a ConfigInfos, prefix: &str) -> Vec<(&'a str, &'a str, i32, Option<&'a str>, usize)> {
    let keys = infos.configs.iter().filter_map(|info| {
        let (definition, value) = (info.definition.as_ref()?, info.value.as_ref()?);
        let name = definition.name.strip_prefix(prefix)?;
        let group = definition.group.as_deref().unwrap_or_default();
        Some((
            name,
            group,
            definition.order_in_group,
            value.value.as_deref(),
            value.errors.len(),
        ))
    });
    keys.collect()
}

#[test]
fn a_transformation_brings_its_keys_behind_those_of_every_transformation() {
    let infos = source(&[
        ("transforms", "m"),
        ("transforms.m.type", "Mask"),
        ("transforms.m.fields", "a,b"),
        ("transforms.m.predicate", "p"),
        ("predicates", "p"),
        ("predicates.p.type", "IsTopic"),
        ("predicates.p.pattern", "t.*"),
    ]);
    assert_eq!(infos.errors().collect::<Vec<_>>(), [] as [&str; 0]);
    assert_eq!(
        under(&infos, "transforms.m."),
        [
            ("type", "Transforms: m", 0, Some("x.Mask"), 0),
            ("plugin.version", "Transforms: m", 1, Some("2.0"), 0),
            ("fields", "Transforms: m", 2, Some("a,b"), 0),
            ("negate", "Transforms: m", 3, Some("false"), 0),
            ("predicate", "Transforms: m", 4, Some("p"), 0),
            ("spaces", "Transforms: m: Looks", 5, Some("1"), 0),
        ]
    );
    assert_eq!(
        under(&infos, "predicates.p."),
        [
            ("type", "Predicates: p", 0, Some("x.IsTopic"), 0),
            ("plugin.version", "Predicates: p", 1, Some("2.0"), 0),
            ("pattern", "Predicates: p", 2, Some("t.*"), 0),
        ]
    );
    assert_eq!(
        value(&infos, "transforms.m.type").recommended_values,
        ["x.Mask", "x.Remote", "x.Sided$Key", "x.Sided$Value"]
    );
    assert_eq!(
        value(&infos, "transforms.m.plugin.version").recommended_values,
        ["1.0", "2.0"]
    );
    let groups = ["Transforms: m", "Transforms: m: Looks", "Predicates: p", "File"];
    assert_eq!(infos.groups[7..], groups);
}

#[test]
fn what_is_wrong_with_a_transformation_or_predicate_stands_on_its_key() {
    type Pairs = &'static [(&'static str, &'static str)];
    let cases: &[(Pairs, Pairs)] = &[
        (
            &[("transforms", "m")],
            &[(
                "transforms.m.type",
                "Missing required configuration \"transforms.m.type\" which has no default value.",
            )],
        ),
        (
            &[("transforms", "m"), ("transforms.m.type", "no.Such")],
            &[(
                "transforms.m.type",
                "Invalid value no.Such for configuration transforms.m.type: Class no.Such could not be found.",
            )],
        ),
        (
            &[("predicates", "p"), ("predicates.p.type", "Mask")],
            &[(
                "predicates.p.type",
                "Class class x.Mask does not implement the Predicate interface",
            )],
        ),
        (
            &[("transforms", "m"), ("transforms.m.type", "x.Sided")],
            &[(
                "transforms.m.type",
                "This class is abstract and cannot be created. Did you mean x.Sided$Key, x.Sided$Value?",
            )],
        ),
        (
            &[("transforms", "b"), ("transforms.b.type", "Broken")],
            &[(
                "transforms.b.type",
                "Invalid value class x.BrokenTransformation for configuration transforms.b.type: Error getting config \
                 definition from Transformation: it broke",
            )],
        ),
        (
            &[
                ("transforms", "m"),
                ("transforms.m.type", "Mask"),
                ("transforms.m.fields", "f"),
                ("transforms.m.negate", "true"),
            ],
            &[(
                "transforms.m.type",
                "Config 'transforms.m.negate' was provided but there is no config 'transforms.m.predicate' defining a \
                 predicate to be negated.",
            )],
        ),
        (
            &[
                ("transforms", "m"),
                ("transforms.m.type", "Mask"),
                ("transforms.m.fields", ""),
                ("transforms.m.spaces", "many"),
            ],
            &[
                (
                    "transforms.m.fields",
                    "Invalid value [] for configuration fields: Empty list",
                ),
                (
                    "transforms.m.spaces",
                    "Invalid value many for configuration transforms.m.spaces: Not a number of type INT",
                ),
                (
                    "transforms.m.spaces",
                    "Invalid value null for configuration spaces: Value must be non-null",
                ),
            ],
        ),
        (
            &[
                ("transforms", "m"),
                ("transforms.m.type", "Mask"),
                ("transforms.m.fields", "f"),
                ("transforms.m.plugin.version", "7"),
            ],
            &[
                ("transforms.m.type", "no x.Mask 7"),
                ("transforms.m.plugin.version", "no x.Mask 7"),
            ],
        ),
        (
            &[
                ("transforms", "m"),
                ("transforms.m.type", "Mask"),
                ("transforms.m.fields", "f"),
                ("transforms.m.predicate", "gone"),
            ],
            &[(
                "transforms.m.predicate",
                "Invalid value gone for configuration transforms.m.predicate: there is no such predicate; list it in \
                 predicates and give it a type",
            )],
        ),
    ];
    for (entries, expected) in cases {
        let infos = source(entries);
        let found: Vec<(&str, &str)> = infos
            .configs
            .iter()
            .filter_map(|info| info.value.as_ref())
            .flat_map(|value| {
                value
                    .errors
                    .iter()
                    .map(|error| (value.name.as_str(), error.as_str()))
            })
            .collect();
        assert_eq!(found, *expected, "{entries:?}");
        assert_eq!(infos.error_count, expected.len(), "{entries:?}");
    }
}

#[test]
fn a_class_that_cannot_be_used_leaves_its_type_and_version_only() {
    let unusable: [&[(&str, &str)]; 4] = [
        &[],
        &[("transforms.m.type", "no.Such")],
        &[("transforms.m.type", "Broken")],
        &[
            ("transforms.m.type", "Mask"),
            ("transforms.m.plugin.version", "7"),
        ],
    ];
    for more in unusable {
        let mut entries = vec![("transforms", "m"), ("transforms.m.fields", "")];
        entries.extend(more);
        let infos = source(&entries);
        let names: Vec<&str> = under(&infos, "transforms.m.")
            .iter()
            .map(|(name, ..)| *name)
            .collect();
        assert_eq!(names, ["type", "plugin.version"], "{more:?}");
    }
}

#[test]
fn the_validators_of_a_class_in_a_library_are_asked() {
    let infos = source(&[
        ("transforms", "m"),
        ("transforms.m.type", "Remote"),
        ("transforms.m.fields", ""),
        ("transforms.m.spaces", "-1"),
    ]);
    assert_eq!(
        infos.errors().collect::<Vec<_>>(),
        [
            "Invalid value [] for configuration fields: Empty list",
            "Invalid value -1 for configuration spaces: Value must be at least 0",
        ]
    );
}

#[test]
fn a_repeated_alias_brings_its_keys_once() {
    let infos = source(&[
        ("transforms", "m, m"),
        ("transforms.m.type", "Mask"),
        ("transforms.m.fields", "f"),
    ]);
    let names = names(&infos);
    assert_eq!(
        names.iter().filter(|name| **name == "transforms.m.type").count(),
        1
    );
    assert_eq!(
        value(&infos, "transforms").errors,
        ["Invalid value [m, m] for configuration transforms: Duplicate alias provided."]
    );
}
