module peermux.test/wan-path

go 1.26
