//! Published example lists: that of EIP-1459, also in go-ethereum's tests, and their second one.

use crate::dns::Link;
use crate::node::SecretKey;

pub(super) const SECRET: &str = "dc599867fc513f8f5e2c2c9c489cde5e71362d1d9ec6e693e0de063236ed1240";

pub(super) const LINK: &str = "enrtree://AKPYQIUQIL7PSIACI32J7FGZW56E5FKHEFCCOFHILBIMW3M6LWXS2@n";

pub(super) const LINKED: &str =
    "enrtree://AM5FCQLWIZX2QFPNJAP7VUERCCRNGRHWZG3YYHIUV7BVDQ5FDPRT2@morenodes.example.org";

pub(super) const NODES: [&str; 3] = [
    "enr:-HW4QOFzoVLaFJnNhbgMoDXPnOvcdVuj7pDpqRvh6BRDO68aVi5ZcjB3vzQRZH2IcLBGHzo8uUN3snqmgTiE56CH3AMBgmlkgnY0iXNlY3AyNTZrMaECC2_24YYkYHEgdzxlSNKQEnHhuNAbNlMlWJxrJxbAFvA",
    "enr:-HW4QAggRauloj2SDLtIHN1XBkvhFZ1vtf1raYQp9TBW2RD5EEawDzbtSmlXUfnaHcvwOizhVYLtr7e6vw7NAf6mTuoCgmlkgnY0iXNlY3AyNTZrMaECjrXI8TLNXU0f8cthpAMxEshUyQlK-AM0PW2wfrnacNI",
    "enr:-HW4QLAYqmrwllBEnzWWs7I5Ev2IAs7x_dZlbYdRdMUx5EyKHDXp7AV5CkuPGUPdvbv1_Ms1CPfhcGCvSElSosZmyoqAgmlkgnY0iXNlY3AyNTZrMaECriawHKWdDRk2xeZkrOXBQ0dfMFLHY4eENZwdufn1S1o",
];

pub(super) const ROOT: &str = "enrtree-root:v1 e=JWXYDBPXYWG6FX3GMDIBFA6CJ4 l=C7HRFPF3BLGF3YR4DY5KX3SMBE seq=1 sig=o908WmNp7LibOfPsr4btQwatZJ5URBr2ZAuxvK4UWHlsB9sUOTJQaGAlLPVAhM__XJesCHxLISo94z5Z2a463gA";

pub(super) const RECORDS: [(&str, &str); 6] = [
    ("n", ROOT),
    ("C7HRFPF3BLGF3YR4DY5KX3SMBE.n", LINKED),
    (
        "JWXYDBPXYWG6FX3GMDIBFA6CJ4.n",
        "enrtree-branch:2XS2367YHAXJFGLZHVAWLQD4ZY,H4FHT4B454P6UXFD7JCYQ5PWDY,MHTDO6TMUBRIA2XWG5LUDACK24",
    ),
    ("2XS2367YHAXJFGLZHVAWLQD4ZY.n", NODES[0]),
    ("H4FHT4B454P6UXFD7JCYQ5PWDY.n", NODES[1]),
    ("MHTDO6TMUBRIA2XWG5LUDACK24.n", NODES[2]),
];

/// A list whose only entry is no node record.
pub(super) const BAD_NODE: [(&str, &str); 3] = [
    (
        "n",
        "enrtree-root:v1 e=INDMVBZEEQ4ESVYAKGIYU74EAA l=C7HRFPF3BLGF3YR4DY5KX3SMBE seq=3 sig=Vl3AmunLur0JZ3sIyJPSH6A3Vvdp4F40jWQeCmkIhmcgwE4VC5U9wpK8C_uL_CMY29fd6FAhspRvq2z_VysTLAA",
    ),
    ("C7HRFPF3BLGF3YR4DY5KX3SMBE.n", LINKED),
    ("INDMVBZEEQ4ESVYAKGIYU74EAA.n", "enr:-----"),
];

pub(super) fn secret() -> SecretKey {
    SECRET.parse().unwrap()
}

pub(super) fn link() -> Link {
    LINK.parse().unwrap()
}
