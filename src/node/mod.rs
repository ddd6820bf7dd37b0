//! Node identities and addresses.
