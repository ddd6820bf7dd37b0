#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| peermux_fuzz_bodies::eth(data));
