//! Reads choices from the bytes of a fuzzer.

/// The rest of an input. After the end of the input, reading continues with zeros. So every input
/// is a complete script, and a fuzzer can shorten it anywhere.
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    pub(super) fn u16(&mut self) -> usize {
        u16::from_be_bytes(self.array()).into()
    }

    pub(super) fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        let taken = self.take(N);
        let mut array = [0; N];
        array[..taken.len()].copy_from_slice(taken);
        array
    }

    /// Takes the next `count` bytes, or all that are left.
    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Takes as many bytes as the next two bytes specify, or all that are left.
    pub(super) fn sized(&mut self) -> &'a [u8] {
        let count = self.u16();
        self.take(count)
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }
}
