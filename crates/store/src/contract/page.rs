//! Pages of lists.

/// Which way a list runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Oldest, or alphabetically first, comes first.
    #[default]
    Ascending,
    /// Newest comes first.
    Descending,
}

impl Order {
    /// The other way.
    #[must_use]
    pub const fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }
}

/// A part of a list that is asked for; `K` is the key that orders the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<K> {
    /// The most items wanted.
    pub limit: usize,
    /// Which way to go from `after`.
    pub order: Order,
    /// Where to begin: beyond this key, in the direction of `order`; at the list's end if absent.
    pub after: Option<K>,
}

/// The part of a list that was found, in the order asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing<T, K> {
    /// The items.
    pub items: Vec<T>,
    /// The last key that was examined: where the next page continues. With filters it may lie beyond
    /// the last item, since a page examines a bounded number of rows.
    pub reached: Option<K>,
    /// Whether nothing more follows in this direction.
    pub done: bool,
}
