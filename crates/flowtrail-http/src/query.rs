//! Query strings: every parameter is known, and says what it expected when it is wrong.

use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use flowtrail_types::{Cursor, ExecutionFilter, PageRequest, SortDirection, SortKey, timestamp};
use std::future::{Ready, ready};
use time::OffsetDateTime;

use crate::ApiError;

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
                return Err(ApiError::invalid(
                    &name,
                    format!("unknown parameter, expected {}", known.join(", ")),
                ));
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

    fn number(&self, name: &str, min: u32, max: u32) -> Result<Option<u32>, ApiError> {
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

    /// `page` and `limit`.
    pub(crate) fn page(&self) -> Result<PageRequest, ApiError> {
        let page = self.number("page", 1, u32::MAX)?.unwrap_or(1);
        let limit = self.number("limit", 1, PageRequest::MAX_LIMIT)?.unwrap_or(20);
        Ok(PageRequest::numbered(page, limit))
    }

    /// The filters of every list of executions.
    pub(crate) const EXECUTION_FILTERS: &[&str] =
        &["page", "limit", "status", "source", "user", "from", "to", "after", "asOf", "sort"];

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
        if let Some(sort) = self.text("sort").filter(|sort| *sort != "startedAt") {
            return Err(ApiError::invalid("sort", format!("expected startedAt, got {sort:?}")));
        }
        let filter = self.read_filter()?;
        let mut page = self.page()?;
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
        })
    }

    /// Adds the cursor, which belongs to one filter, to a page.
    pub(crate) fn after(&self, filter: &ExecutionFilter, page: &mut PageRequest) -> Result<(), ApiError> {
        if let Some(text) = self.text("after") {
            let fingerprint = filter.fingerprint(SortKey::default(), SortDirection::default());
            let cursor =
                Cursor::decode(text, fingerprint).map_err(|error| ApiError::invalid("after", error))?;
            page.after = Some(cursor);
        }
        Ok(())
    }
}
