//! The API behind its router, on a real machine and a real store.

mod access;
mod description;
mod errors;
mod faults;
mod house;
mod life;
mod nodes;
mod portals;
mod repeats;
mod surface;
