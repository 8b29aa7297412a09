//! Query strings: every parameter is known, and says what it expected when it is wrong.

use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use flowtrail_types::{Cursor, DurationRange, ExecutionFilter, PageRequest, SortDirection, timestamp};
use std::future::{Ready, ready};
use time::OffsetDateTime;

use crate::ApiError;

/// The most milliseconds that are taken: the largest whole number that every JSON parser reads as it is.
pub(crate) const MOST_MILLIS: u64 = (1 << 53) - 1;

/// The parameters of a request, in their order.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl FromRequest for Query {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let parsed = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        ready(match parsed {
            Ok(pairs) => Ok(Self(pairs.into_inner())),
            Err(error) => Err(ApiError::invalid("query", error)),
        })
    }
}

impl Query {
    /// Refuses parameters that are not among these, and those that are given twice.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let name: String = name.chars().take(100).collect();
                let expected = match known {
                    [] => "none is taken here".to_owned(),
                    known => format!("expected {}", known.join(", ")),
                };
                return Err(ApiError::invalid(&name, format!("unknown parameter, {expected}")));
            }
            if self.0[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(ApiError::invalid(name, "given twice"));
            }
        }
        Ok(())
    }

    /// The value of a parameter; an empty one counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    }

    /// The value of a parameter, parsed.
    pub(crate) fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError>
    where
        T::Err: std::fmt::Display,
    {
        self.text(name).map(|text| text.parse().map_err(|error| ApiError::invalid(name, error))).transpose()
    }

    pub(crate) fn number(&self, name: &str, min: u32, max: u32) -> Result<Option<u32>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
            _ => {
                let shown: String = text.chars().take(40).collect();
                let upper = if max == u32::MAX { String::new() } else { format!(" to {max}") };
                Err(ApiError::invalid(
                    name,
                    format!("expected a whole number from {min}{upper}, got {shown:?}"),
                ))
            }
        }
    }

    /// A duration in whole milliseconds.
    fn millis(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let millis = text.parse().ok().filter(|millis| *millis <= MOST_MILLIS);
        millis.map(Some).ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            ApiError::invalid(name, format!("expected a whole number of milliseconds, got {shown:?}"))
        })
    }

    pub(crate) fn time(&self, name: &str) -> Result<Option<OffsetDateTime>, ApiError> {
        self.text(name)
            .map(|text| timestamp::parse(text).map_err(|error| ApiError::invalid(name, error)))
            .transpose()
    }

    /// `true` or `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.text(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(ApiError::invalid(name, format!("expected true or false, got {other:?}"))),
        }
    }

    /// `limit`: how many items are wanted.
    pub(crate) fn limit(&self) -> Result<u32, ApiError> {
        Ok(self.number("limit", 1, PageRequest::MAX_LIMIT)?.unwrap_or(20))
    }

    /// `page` and `limit`.
    pub(crate) fn page(&self) -> Result<PageRequest, ApiError> {
        let page = self.number("page", 1, u32::MAX)?.unwrap_or(1);
        Ok(PageRequest::numbered(page, self.limit()?))
    }

    /// The filters of every list of executions.
    pub(crate) const EXECUTION_FILTERS: &[&str] = &[
        "page",
        "limit",
        "status",
        "source",
        "user",
        "from",
        "to",
        "minDuration",
        "maxDuration",
        "tag",
        "q",
        "after",
        "asOf",
        "sort",
    ];

    /// The parameters of a list that choose a page of it.
    const PAGING: &[&str] = &["page", "limit", "after", "asOf", "sort"];

    /// The filter of what takes the filters of a list, and these parameters besides.
    pub(crate) fn filter(&self, besides: &[&str]) -> Result<ExecutionFilter, ApiError> {
        let known: Vec<&str> = Self::EXECUTION_FILTERS
            .iter()
            .filter(|name| !Self::PAGING.contains(name))
            .chain(besides)
            .copied()
            .collect();
        self.only(&known)?;
        self.read_filter()
    }

    /// The filter and the page of a list of executions.
    pub(crate) fn executions(&self) -> Result<(ExecutionFilter, PageRequest), ApiError> {
        self.only(Self::EXECUTION_FILTERS)?;
        let filter = self.read_filter()?;
        let mut page = self.page()?;
        page.sort = self.parsed("sort")?.unwrap_or_default();
        page.as_of = self.time("asOf")?;
        Ok((filter, page))
    }

    fn read_filter(&self) -> Result<ExecutionFilter, ApiError> {
        Ok(ExecutionFilter {
            flow: None,
            status: self.parsed("status")?,
            source: self.parsed("source")?,
            user: self.parsed("user")?,
            from: self.time("from")?,
            to: self.time("to")?,
            duration: DurationRange::of_millis(self.millis("minDuration")?, self.millis("maxDuration")?),
            tag: self.parsed("tag")?,
            text: self.parsed("q")?,
        })
    }

    /// Adds the cursor, which belongs to one filter, to a page.
    pub(crate) fn after(&self, filter: &ExecutionFilter, page: &mut PageRequest) -> Result<(), ApiError> {
        if let Some(text) = self.text("after") {
            let fingerprint = filter.fingerprint(page.sort, SortDirection::default());
            let cursor =
                Cursor::decode(text, fingerprint).map_err(|error| ApiError::invalid("after", error))?;
            page.after = Some(cursor);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flowtrail_types::{ExecutionId, Place, SortKey};

    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Query {
        Query(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn every_filter_of_a_list_is_read() {
        let (filter, page) = query(&[
            ("status", "error"),
            ("source", "mcp"),
            ("user", "00000000-0000-0000-0000-00000000000a"),
            ("from", "2026-01-06T12:00:00Z"),
            ("to", "2026-01-07T12:00:00Z"),
            ("minDuration", "40"),
            ("maxDuration", "40"),
            ("tag", "time:12:30"),
            ("q", "Order 100%"),
            ("sort", "duration"),
            ("asOf", "2026-01-08T12:00:00.000001Z"),
            ("page", "2"),
            ("limit", "5"),
        ])
        .executions()
        .unwrap();
        assert!(filter.status.is_some() && filter.source.is_some() && filter.user.is_some());
        assert!(filter.from < filter.to && filter.to < page.as_of);
        assert_eq!((filter.duration.min_us(), filter.duration.max_us()), (Some(40_000), Some(40_999)));
        assert_eq!(filter.tag.as_ref().map(|tag| (tag.key(), tag.value())), Some(("time", "12:30")));
        assert_eq!(filter.text.as_ref().map(|text| text.as_str()), Some("order 100%"));
        assert_eq!((page.sort, page.page, page.limit), (SortKey::Duration, 2, 5));
        // An empty value counts as absent.
        let absent = query(&[("q", ""), ("tag", ""), ("sort", ""), ("minDuration", "")]);
        assert_eq!(absent.executions().unwrap(), (ExecutionFilter::default(), PageRequest::default()));
    }

    #[test]
    fn a_wrong_value_names_the_field_and_what_was_expected() {
        let long = "x".repeat(201);
        let long_key = format!("{}:x", "k".repeat(65));
        for (name, value, expected) in [
            ("minDuration", "1.5", "minDuration: expected a whole number of milliseconds, got \"1.5\""),
            ("minDuration", "-1", "minDuration: expected a whole number of milliseconds, got \"-1\""),
            ("maxDuration", "1s", "maxDuration: expected a whole number of milliseconds, got \"1s\""),
            ("tag", "shop", "tag: expected key:value, got \"shop\""),
            ("tag", ":north", "tag: a key has 1 to 64 characters and no colon"),
            ("tag", &long_key, "tag: a key has 1 to 64 characters and no colon"),
            ("q", &long, "q: expected at most 200 characters, got 201"),
            ("sort", "colour", "sort: unknown sort \"colour\", expected startedAt or duration"),
            (
                "status",
                "done",
                "status: unknown status \"done\", expected pending, fulfilled, error or aborted",
            ),
        ] {
            let error = query(&[(name, value)]).executions().unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let error = query(&[("tag", "a:b"), ("tag", "c:d")]).executions().unwrap_err();
        assert_eq!(error.to_string(), "tag: given twice");
    }

    #[test]
    fn a_cursor_is_refused_by_another_list_and_by_another_order() {
        let (filter, page) = query(&[("tag", "a:b")]).executions().unwrap();
        let fingerprint = filter.fingerprint(page.sort, SortDirection::default());
        let place =
            Place { started_at: OffsetDateTime::UNIX_EPOCH, id: ExecutionId::from_uuid(uuid::Uuid::nil()) };
        let text = Cursor::below(place, fingerprint).encode();
        for (others, is_accepted) in [
            (&[("tag", "a:b")][..], true),
            (&[("tag", "a:b"), ("sort", "startedAt")], true),
            (&[("tag", "a:b"), ("sort", "duration")], false),
            (&[("tag", "a:c")], false),
            (&[("tag", "a:b"), ("q", "x")], false),
            (&[("tag", "a:b"), ("minDuration", "0")], false),
            (&[], false),
        ] {
            let query = query(&[others, &[("after", &text)]].concat());
            let (filter, mut page) = query.executions().unwrap();
            let read = query.after(&filter, &mut page);
            assert_eq!(read.is_ok(), is_accepted, "{others:?}");
            if let Err(error) = read {
                assert!(error.to_string().starts_with("after: this cursor belongs to"), "{error}");
            }
        }
    }
}
