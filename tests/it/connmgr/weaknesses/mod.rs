//! One test for each weakness that was found in a widely used connection manager, btcd's: it
//! asserts the very thing that goes wrong there.
//!
//! 25 to 29 are about its address book, 30 stands beside the ban score.

mod ends;
mod pace;
mod requests;
mod sides;
