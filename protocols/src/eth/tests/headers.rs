//! Tests of requests for headers.

use peermux::requests::RequestError;
use peermux::testing::connect;
use peermux::{DisconnectReason, NodeId};

use super::*;

fn query(number: u64, limit: u64) -> HeadersQuery {
    HeadersQuery::from_number(number, limit)
}

fn numbers(headers: &[Header]) -> Vec<u64> {
    headers.iter().map(Header::number).collect()
}

async fn join(ours: &Eth, theirs: &Eth) -> (NodeId, NodeId) {
    let connected = connect(ours.protocols(), theirs.protocols()).await;
    let connected = connected.expect("connects");
    connected.left.running().await;
    connected.right.running().await;
    (connected.left.id(), connected.right.id())
}

#[tokio::test(start_paused = true)]
async fn three_nodes_ask_each_other() {
    let headers = Headers::of(60);
    let (ann, _) = Headers::of(20).node();
    let (ben, _) = headers.node();
    let (carol, _) = Eth::builder(headers.chain()).versions(68..=69).build();
    let (ben_of_ann, ann_of_ben) = join(&ann, &ben).await;
    let (carol_of_ben, ben_of_carol) = join(&ben, &carol).await;

    let all = ann
        .headers(&ben_of_ann, query(0, 100))
        .await
        .expect("answers");
    assert_eq!(numbers(&all), (0..60).collect::<Vec<_>>());
    let chained = all.windows(2).all(|two| two[1].parent() == two[0].hash());
    assert!(chained && all == headers.find(&query(0, 100)));
    let some = ben
        .headers(&ann_of_ben, query(5, 100))
        .await
        .expect("answers");
    assert_eq!(numbers(&some), (5..20).collect::<Vec<_>>());
    let none = ben
        .headers(&carol_of_ben, query(5, 100))
        .await
        .expect("answers");
    assert!(none.is_empty(), "she has none");

    let seven = headers.0[&7].hash();
    let cases = [
        (HeadersQuery::from_hash(seven, 3), vec![7, 8, 9]),
        (HeadersQuery::from_hash(seven, 3).reversed(), vec![7, 6, 5]),
        (query(7, 100).with_skip(2).reversed(), vec![7, 4, 1]),
        (query(50, 3).with_skip(4), vec![50, 55]),
        (query(50, 3).with_skip(u64::MAX), vec![50]),
        (query(60, 3), vec![]),
        (query(7, 0), vec![]),
        (HeadersQuery::from_hash(Hash([1; 32]), 3), vec![]),
    ];
    for (query, wanted) in cases {
        let found = carol.headers(&ben_of_carol, query).await.expect("answers");
        assert_eq!(numbers(&found), wanted, "{query:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_is_queried_and_its_answer_is_cut_to_fit() {
    let headers = Headers::of(2);
    let (few, _) = headers.node();
    // Returns more headers than requested, each of 100 KiB.
    let large = header(Hash::default(), 1, &vec![0; 100 << 10]);
    let (many, _) = Eth::builder(headers.chain())
        .headers(move |_, query| {
            assert!(query.limit <= MAX_HEADERS as u64);
            let headers = vec![large.clone(); 30];
            async move { headers }
        })
        .build();
    let (many, _) = join(&few, &many).await;
    let ask = |limit| {
        few.requests70()
            .request(&many, v70::GetBlockHeaders(query(1, limit)))
    };
    assert_eq!(ask(u64::MAX).await.expect("answers").0.len(), 20);
    assert_eq!(ask(3).await.expect("answers").0.len(), 3);
    assert_eq!(ask(0).await.expect("answers").0.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn other_requests_get_empty_answers() {
    let headers = Headers::of(2);
    let (ours, _) = headers.node();
    for version in 68..=70 {
        let (theirs, _) = Eth::builder(headers.chain())
            .versions(version..=version)
            .build();
        let (id, _) = join(&ours, &theirs).await;
        let hashes = vec![headers.genesis()];
        let receipts = match version {
            68 => {
                let (all, hashes) = (ours.requests68(), hashes.clone());
                all.request(&id, v68::GetReceipts(hashes))
                    .await
                    .expect("answers")
                    .0
            }
            69 => {
                let (all, hashes) = (ours.requests69(), hashes.clone());
                let pooled = v69::GetPooledTransactions(hashes.clone());
                assert!(
                    all.request(&id, pooled)
                        .await
                        .expect("answers")
                        .0
                        .is_empty()
                );
                all.request(&id, v69::GetReceipts(hashes))
                    .await
                    .expect("answers")
                    .0
            }
            _ => {
                let (all, blocks) = (ours.requests70(), hashes.clone());
                let bodies = v70::GetBlockBodies(blocks.clone());
                assert!(
                    all.request(&id, bodies)
                        .await
                        .expect("answers")
                        .0
                        .is_empty()
                );
                let first_receipt = 1;
                let ask = v70::GetReceipts {
                    first_receipt,
                    blocks,
                };
                let answer = all.request(&id, ask).await.expect("answers");
                assert!(!answer.incomplete);
                answer.receipts
            }
        };
        assert!(receipts.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn unrequested_headers_are_an_error() {
    let headers = Headers::of(10);
    let (eth, _) = headers.node();
    let (peer, mut remote) = joined(&eth).await;
    let id = peer.id();
    let some = |numbers: &[u64]| -> Vec<Header> {
        numbers
            .iter()
            .map(|number| headers.0[number].clone())
            .collect()
    };
    let cases = [
        (query(3, 2), some(&[3, 4, 5]), "no more"),
        (query(3, 2), some(&[4]), "first"),
        (
            HeadersQuery::from_hash(Hash([1; 32]), 2),
            some(&[3]),
            "first",
        ),
        (query(3, 3), some(&[3, 5]), "numbers"),
        (query(3, 3).reversed(), some(&[3, 4]), "numbers"),
        (query(0, 3).reversed(), some(&[0, 0]), "numbers"),
    ];
    for (query, answer, rule) in cases {
        let answering = async {
            let asked = remote.expect().await;
            assert_eq!(asked.id, OFFSET + 3);
            let (request, _) = <(u64, HeadersQuery)>::from_rlp(&asked.payload).expect("a query");
            remote.send(OFFSET + 4, &(request, answer).to_rlp()).await
        };
        let (result, _) = tokio::join!(eth.headers(&id, query), answering);
        let error = result.expect_err("was not requested");
        assert!(matches!(error, HeadersError::NotAsked { peer, .. } if peer == id));
        assert!(error.to_string().contains(rule), "{error}");
    }
    drop(remote);
    peer.ended().await;
    let error = eth.headers(&id, query(0, 1)).await.expect_err("is gone");
    let gone = matches!(
        error,
        HeadersError::Request(RequestError::NotConnected { .. })
    );
    assert!(gone, "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_query_waits_for_the_handshake_or_fails_with_it() {
    let headers = Headers::of(10);
    let (eth, _) = headers.node();
    let (peer, mut remote) = scripted(&eth, 69).await;
    let id = peer.id();
    let status = remote.expect().await.payload;
    let later = async {
        remote.send(OFFSET, &status).await;
        let asked = remote.expect().await;
        let (request, _) = <(u64, HeadersQuery)>::from_rlp(&asked.payload).expect("a query");
        let none = Vec::<Header>::new();
        remote.send(OFFSET + 4, &(request, none).to_rlp()).await
    };
    let (answer, _) = tokio::join!(eth.headers(&id, query(0, 1)), later);
    assert!(answer.expect("answers").is_empty());

    let (peer, mut remote) = scripted(&eth, 69).await;
    let id = peer.id();
    let refusing = async {
        remote.send(OFFSET + 2, &[0xc0]).await;
        while remote
            .next()
            .await
            .is_some_and(|frame| frame.reason.is_none())
        {}
    };
    let (answer, ()) = tokio::join!(eth.headers(&id, query(0, 1)), refusing);
    let error = answer.expect_err("is refused");
    assert!(matches!(error, HeadersError::Request(_)), "{error}");
    let outcome = peer.ended().await.expect("ended in order");
    assert_eq!(
        outcome.error.reason(),
        Some(DisconnectReason::SUBPROTOCOL_ERROR)
    );
}
