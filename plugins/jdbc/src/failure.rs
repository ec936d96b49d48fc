//! Why a database did not do what it was told, and what follows from it.

use std::fmt;

use wharf_api::ConnectError;

use crate::dialect::Statement;

/// What kind of trouble it is. It decides whether waiting may help, and whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// No connection, or a server that is starting, stopping or standing by.
    Unreachable,
    /// Others hold what this statement needs: a deadlock, a lock timeout, a serialization failure.
    Contention,
    /// The server has no room: disk, memory, connections.
    Capacity,
    /// The row's own fault. The only kind of which a record may become a dead letter.
    Data,
    /// The user may not do this, or is not who it says.
    Permission,
    /// A user who was let in before is not let in now: between the two steps in which a password is changed.
    Login,
    /// The statement does not fit the database: a missing table or column, a type without conversion.
    Statement,
    /// The task is to stop.
    Cancelled,
    /// A code that is in no table. Never data: what is not known to be a record's fault is not blamed on it.
    Unknown,
}

impl Trouble {
    /// Whether the same statement may succeed later without anybody changing it.
    pub(crate) fn may_heal(self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::Contention
                | Self::Capacity
                | Self::Login
                | Self::Cancelled
                | Self::Unknown
        )
    }

    /// What to do about it.
    fn remedy(self) -> &'static str {
        match self {
            Self::Unreachable => "see that the database runs and can be reached from this worker",
            Self::Contention => "see what else writes to these tables",
            Self::Capacity => "make room in the database",
            Self::Data => {
                "correct the record, or the row that is read; change the table, or, in a sink, set a dead letter queue with \
                 errors.tolerance=all"
            }
            Self::Permission => "check connection.user, connection.password and what that user may do",
            Self::Login => {
                "the user was let in before: see that connection.password is the present one, where its config provider takes it from"
            }
            Self::Statement => {
                "see that tables and columns are there and of the types that are needed; a sink makes them with auto.create and auto.evolve"
            }
            Self::Cancelled => "nothing: the task is stopping",
            Self::Unknown => "look the code up in the database's manual",
        }
    }
}

/// A failure of the database or of the connection to it.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) trouble: Trouble,
    /// The database's own code, such as an SQLSTATE.
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    /// What may be said where no value of a row may be.
    pub(crate) discreet: Option<String>,
}

/// What answers of a database come as.
pub(crate) type Answer<T> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(trouble: Trouble, message: impl Into<String>) -> Self {
        Self {
            trouble,
            code: None,
            message: message.into(),
            discreet: None,
        }
    }

    /// With what may be said where no value of a row may be.
    pub(crate) fn with_discreet(mut self, message: String) -> Self {
        self.discreet = Some(message);
        self
    }

    /// The same without values of rows (`trim.sensitive.log`). What a database says of a row may have any of them in it.
    pub(crate) fn without_values(mut self) -> Self {
        if let Some(message) = self.discreet.take() {
            self.message = message;
        } else if matches!(self.trouble, Trouble::Data | Trouble::Unknown) {
            "the database does not take it; what it says is left out (trim.sensitive.log)"
                .clone_into(&mut self.message);
        }
        self
    }

    /// Of a value that is missing in a column: the row's fault only where the statement writes the column.
    pub(crate) fn unless_written(self, column: &str, statement: &Statement) -> Self {
        if statement.places.iter().any(|place| place.name == column) {
            return self;
        }
        let what = format!(
            "column '{column}' has to have a value, and the records have no field for it; give it a default, let it be null, or add a field"
        );
        Self {
            trouble: Trouble::Statement,
            ..self.during(what)
        }
    }

    pub(crate) fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The same failure, with what was being done.
    pub(crate) fn during(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    pub(crate) fn is(&self, trouble: Trouble) -> bool {
        self.trouble == trouble
    }

    /// Whether the table that was asked for is not there.
    pub(crate) fn is_missing_table(&self) -> bool {
        // PostgreSQL, MySQL, SQL Server; SQLite has no code of its own for it.
        let codes = ["42P01", "1146", "208"];
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
            || self.message.starts_with("no such table: ")
    }

    /// Whether somebody is not let in because of how many there are, or because of what others hold: not for good.
    pub(crate) fn is_crowded(&self) -> bool {
        // Of PostgreSQL; of MySQL; of SQL Server.
        let codes = [
            "53300", "1040", "1203", "1226", "10928", "10929", "17809", "40501",
        ];
        self.is(Trouble::Contention)
            || self.is(Trouble::Capacity)
            || self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// The same without what a database repeats of a query that nobody may see (`query.masked`).
    pub(crate) fn without_query(mut self) -> Self {
        if !matches!(self.trouble, Trouble::Unreachable | Trouble::Cancelled) {
            "the database does not run the query; what it says is left out (query.masked)"
                .clone_into(&mut self.message);
        }
        self
    }

    /// As the worker sees it: an error that is tried again when waiting may help.
    pub(crate) fn to_error(&self) -> ConnectError {
        let text = format!("{self}; {}", self.trouble.remedy());
        if self.trouble.may_heal() {
            ConnectError::retriable(text)
        } else {
            ConnectError::connect(text)
        }
    }

    /// As the worker sees it once nothing more is tried.
    pub(crate) fn to_final_error(&self) -> ConnectError {
        ConnectError::connect(format!("{self}; {}", self.trouble.remedy()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(to, "{} [{code}]", self.message),
            None => to.write_str(&self.message),
        }
    }
}

/// What an SQLSTATE says (the classes of the SQL standard, and PostgreSQL's own).
pub(crate) fn of_sqlstate(state: &str) -> Trouble {
    match state {
        // Sent for statements that run into a statement or lock timeout, too.
        "57014" | "55P03" | "55006" => Trouble::Contention,
        "53300" | "25006" => Trouble::Unreachable,
        // A row too large for an index or a page.
        "54000" => Trouble::Data,
        // Raised by a trigger that refuses a row.
        "P0001" => Trouble::Data,
        "42501" => Trouble::Permission,
        // Whether it took place is not known.
        "40003" => Trouble::Unknown,
        // A parameter in the wrong form is our own fault.
        "22P03" => Trouble::Unknown,
        // A datum that no cast can take belongs to its row.
        "42846" => Trouble::Statement,
        _ => match state.get(..2) {
            Some("08" | "57") => Trouble::Unreachable,
            Some("40") => Trouble::Contention,
            Some("53" | "58") => Trouble::Capacity,
            Some("22" | "23" | "44") => Trouble::Data,
            Some("28") => Trouble::Permission,
            Some("0A" | "26" | "3D" | "3F" | "42") => Trouble::Statement,
            _ => Trouble::Unknown,
        },
    }
}

/// What an error of MySQL or MariaDB says. Its SQLSTATE is of use for few of them.
pub(crate) fn of_mysql_code(code: u16, state: &str) -> Trouble {
    match code {
        // Stopping, killed, too many connections, read-only or standing by, the network.
        1040 | 1047 | 1053 | 1077..=1080 | 1129 | 1152 | 1158..=1161 | 1184 | 1203 | 1226 | 1290 | 1792 | 1836
        | 1927 | 2002 | 2003 | 2006 | 2013 | 2055 | 3169 | 4031 => Trouble::Unreachable,
        // Locks, deadlocks, changed meanwhile, out of time or told to end by somebody.
        1020 | 1205 | 1213 | 1223 | 1317 | 1412 | 1614 | 1615 | 1637 | 1969 | 3024 | 3572 => Trouble::Contention,
        1021 | 1026 | 1030 | 1037 | 1038 | 1041 | 1114 | 1135 | 1206 | 1461 => Trouble::Capacity,
        // Keys and references.
        1022 | 1048 | 1062 | 1169 | 1216 | 1217 | 1451 | 1452 | 1526 | 1586 | 1591 | 1761 | 1762
        // Checks, and triggers that refuse.
        | 1369 | 1644 | 3819 | 4025
        // Values that have no place in their column.
        | 1118 | 1153 | 1264 | 1265 | 1292 | 1300 | 1365 | 1366 | 1367 | 1406 | 1411 | 1416 | 1441 | 1525 | 1690 | 1713
        | 3140 | 3141 | 3144 | 4038 => Trouble::Data,
        1044 | 1045 | 1130 | 1142 | 1143 | 1227 | 1251 | 1370 | 1698 | 1820 | 1862 | 3118 | 3159 | 4151 => {
            Trouble::Permission
        }
        1046 | 1049..=1051 | 1054 | 1060 | 1061 | 1064 | 1068 | 1070..=1072 | 1074 | 1075 | 1091 | 1101 | 1103 | 1109
        | 1110 | 1136 | 1146 | 1166 | 1170 | 1235 | 1288 | 1295 | 1305 | 1347 | 1348 | 1356 | 1364 | 1425..=1427 | 1439
        | 1471 | 1906 | 3105 => Trouble::Statement,
        // Raised by a trigger that refuses a row with a code of its own.
        _ if state == "45000" => Trouble::Data,
        _ => match state.get(..2) {
            Some("08") => Trouble::Unreachable,
            Some("40") => Trouble::Contention,
            Some("28") => Trouble::Permission,
            Some("0A" | "42") => Trouble::Statement,
            _ => Trouble::Unknown,
        },
    }
}

/// What an error number of SQL Server says, with its severity.
pub(crate) fn of_sqlserver_code(code: u32, class: u8) -> Trouble {
    match code {
        // The network, stopping, starting, killed, being restored, standing by, moved, too many connections.
        64 | 121 | 233 | 596 | 615 | 921 | 922 | 924 | 926..=928 | 942 | 945 | 951 | 952 | 954 | 955 | 976 | 978 | 979 | 982 | 983 | 3906
        | 4221 | 6005 | 10053 | 10054 | 10060 | 10061 | 10928 | 10929 | 17142 | 17197 | 17809 | 17830 | 18401 | 35250 | 40143
        | 40166 | 40197 | 40501 | 40540 | 40613 | 49918..=49920 => Trouble::Unreachable,
        // Locks, deadlocks, changed meanwhile, a transaction that began before the row's last change.
        1205 | 1211 | 1222 | 3928 | 3960 | 3961 | 13535 | 41301 | 41302 | 41305 | 41325 => Trouble::Contention,
        701 | 802 | 1101 | 1105 | 1204 | 3967 | 5149 | 8628 | 8645 | 8651 | 8657 | 9002 | 40544 | 40549 | 40551..=40553 | 41822
        | 41823 => Trouble::Capacity,
        // Keys, references and checks; triggers that end the transaction.
        513 | 515 | 547 | 550 | 2601 | 2627 | 3609 | 8672
        // Values that have no place in their column.
        | 220 | 232 | 234..=238 | 241 | 242 | 244..=246 | 248 | 293 | 295 | 296 | 298 | 511 | 517 | 535 | 1946 | 2628 | 8114 | 8115
        | 8134 | 8152 | 8169 | 9400..=9499 | 9803 | 13608 | 13609 | 13610 => Trouble::Data,
        229 | 230 | 262 | 297 | 300 | 916 | 4060 | 4062..=4064 | 15151 | 15247 | 18450..=18452 | 18456 | 18458..=18463 | 18465..=18468
        | 18470 | 18486..=18488 | 40532 | 40615 => Trouble::Permission,
        102 | 105 | 107 | 108 | 128 | 137 | 156 | 170 | 201 | 206..=209 | 213 | 257 | 260 | 264 | 271..=273 | 306 | 402 | 403 | 468
        | 529 | 544 | 545 | 911 | 1033 | 1088 | 1750 | 1767 | 1769 | 1776 | 1778 | 1779 | 1785 | 1902 | 1911 | 1919 | 1934 | 1944
        | 2705 | 2714..=2717 | 2749 | 2750 | 2759 | 2760 | 3952 | 4104 | 4121 | 4405 | 4406 | 4413 | 4426 | 4901 | 4902 | 8111 | 8116 | 8117
        | 8155 | 8156 | 8180 | 11501..=11530 | 13536..=13538 => Trouble::Statement,
        // Raised by a trigger that refuses a row.
        50_000.. if (11..=16).contains(&class) => Trouble::Data,
        // Such errors end the connection.
        _ if class >= 20 => Trouble::Unreachable,
        _ => Trouble::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_mysql_are_told_apart_by_whose_fault_they_are() {
        for (code, state, trouble) in [
            (1053, "08S01", Trouble::Unreachable),
            (1040, "08004", Trouble::Unreachable),
            (1290, "HY000", Trouble::Unreachable),
            (1205, "HY000", Trouble::Contention),
            (1213, "40001", Trouble::Contention),
            (1969, "70100", Trouble::Contention),
            (1114, "HY000", Trouble::Capacity),
            (1062, "23000", Trouble::Data),
            (1364, "HY000", Trouble::Statement),
            (1406, "22001", Trouble::Data),
            (1644, "45000", Trouble::Data),
            (31_001, "45000", Trouble::Data),
            (1045, "28000", Trouble::Permission),
            (1142, "42000", Trouble::Permission),
            (1054, "42S22", Trouble::Statement),
            (1146, "42S02", Trouble::Statement),
            // Ambiguous names have a state of constraints.
            (1052, "23000", Trouble::Unknown),
            (9999, "22001", Trouble::Unknown),
            (9999, "42000", Trouble::Statement),
        ] {
            assert_eq!(of_mysql_code(code, state), trouble, "{code} {state}");
        }
    }

    #[test]
    fn codes_of_sql_server_are_told_apart_by_whose_fault_they_are() {
        for (code, class, trouble) in [
            (6005, 14, Trouble::Unreachable),
            (3906, 16, Trouble::Unreachable),
            (40613, 17, Trouble::Unreachable),
            (1205, 13, Trouble::Contention),
            (1222, 16, Trouble::Contention),
            (3960, 16, Trouble::Contention),
            (1105, 17, Trouble::Capacity),
            (9002, 17, Trouble::Capacity),
            (2627, 14, Trouble::Data),
            (2601, 14, Trouble::Data),
            (515, 16, Trouble::Data),
            (547, 16, Trouble::Data),
            (8152, 16, Trouble::Data),
            (2628, 16, Trouble::Data),
            (245, 16, Trouble::Data),
            (3609, 16, Trouble::Data),
            (8672, 16, Trouble::Data),
            (50_000, 16, Trouble::Data),
            (51_234, 16, Trouble::Data),
            // A message that a trigger prints, and one of the server's own trouble.
            (50_000, 10, Trouble::Unknown),
            (50_000, 18, Trouble::Unknown),
            (18456, 14, Trouble::Permission),
            (4060, 11, Trouble::Permission),
            (229, 14, Trouble::Permission),
            (208, 16, Trouble::Statement),
            (207, 16, Trouble::Statement),
            (544, 16, Trouble::Statement),
            (99_999, 21, Trouble::Unreachable),
            (823, 24, Trouble::Unreachable),
            (49_999, 16, Trouble::Unknown),
            (8003, 16, Trouble::Unknown),
            (0, 0, Trouble::Unknown),
        ] {
            assert_eq!(of_sqlserver_code(code, class), trouble, "{code} {class}");
        }
    }

    #[test]
    fn states_are_told_apart_by_whose_fault_they_are() {
        for (state, trouble) in [
            ("08006", Trouble::Unreachable),
            ("57P01", Trouble::Unreachable),
            ("57014", Trouble::Contention),
            ("40P01", Trouble::Contention),
            ("40003", Trouble::Unknown),
            ("53100", Trouble::Capacity),
            ("53300", Trouble::Unreachable),
            ("23505", Trouble::Data),
            ("22001", Trouble::Data),
            ("28P01", Trouble::Permission),
            ("42501", Trouble::Permission),
            ("42P01", Trouble::Statement),
            ("XX000", Trouble::Unknown),
            ("", Trouble::Unknown),
        ] {
            assert_eq!(of_sqlstate(state), trouble, "{state}");
        }
    }

    #[test]
    fn what_a_database_says_of_a_row_is_left_out_where_that_is_wanted() {
        let refused = |trouble| Failure::new(trouble, "Key (id)=(4711) is there").with_code("23505");
        for (failure, said) in [
            (
                refused(Trouble::Data),
                "the database does not take it; what it says is left out (trim.sensitive.log) [23505]",
            ),
            (
                refused(Trouble::Data).with_discreet("constraint t_pkey".to_owned()),
                "constraint t_pkey [23505]",
            ),
            (refused(Trouble::Contention), "Key (id)=(4711) is there [23505]"),
        ] {
            assert_eq!(failure.without_values().to_string(), said);
        }
    }

    #[test]
    fn what_a_database_says_of_a_masked_query_is_left_out() {
        for (trouble, code, said) in [
            (
                Trouble::Statement,
                Some("42P01"),
                "the database does not run the query; what it says is left out (query.masked) [42P01]",
            ),
            (
                Trouble::Contention,
                None,
                "the database does not run the query; what it says is left out (query.masked)",
            ),
            (Trouble::Unreachable, None, "no table s3cret"),
        ] {
            let mut failure = Failure::new(trouble, "no table s3cret");
            failure.code = code.map(str::to_owned);
            assert_eq!(failure.without_query().to_string(), said);
        }
    }

    #[test]
    fn a_database_that_is_full_is_told_from_one_that_lets_nobody_in() {
        let of = |trouble, code: &str| Failure::new(trouble, "no").with_code(code);
        for (failure, is_crowded) in [
            (of(of_sqlstate("53300"), "53300"), true),
            (of(of_sqlstate("53400"), "53400"), true),
            (of(of_mysql_code(1040, "08004"), "1040"), true),
            (of(of_mysql_code(1203, "42000"), "1203"), true),
            (of(of_mysql_code(1226, "42000"), "1226"), true),
            (of(of_sqlserver_code(10928, 20), "10928"), true),
            (of(Trouble::Contention, "SQLITE 5"), true),
            (of(of_sqlstate("57P03"), "57P03"), false),
            (of(of_sqlstate("28P01"), "28P01"), false),
            (of(of_mysql_code(1045, "28000"), "1045"), false),
            (Failure::new(Trouble::Unreachable, "refused"), false),
        ] {
            assert_eq!(failure.is_crowded(), is_crowded, "{failure}");
        }
    }

    #[test]
    fn only_what_may_heal_is_tried_again() {
        let failure = Failure::new(Trouble::Data, "value too long").with_code("22001");
        assert!(!failure.to_error().is_retriable());
        assert!(
            failure
                .to_error()
                .message()
                .starts_with("value too long [22001]; correct the record")
        );
        let lost = Failure::new(Trouble::Unreachable, "no route").during("connecting");
        assert!(lost.to_error().is_retriable());
        assert!(!lost.to_final_error().is_retriable());
        assert!(
            lost.to_error()
                .message()
                .starts_with("connecting: no route; see that")
        );
    }
}
