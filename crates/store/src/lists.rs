//! What lists are in every database: which keys a page may look at, how many rows it may examine, what its filters take.

mod filters;
mod gathering;
mod pages;
mod pass;
mod span;
mod targets;

pub(crate) use filters::{Labels, attempt_is_wanted, stands_so};
pub(crate) use gathering::{ADJACENT, Gathering, LOOKED_UP, MOST_BYTES, Source};
pub(crate) use pages::{Window, beyond, direction, listing, one_more};
pub(crate) use pass::Pass;
pub(crate) use span::Span;
pub(crate) use targets::part_of;
