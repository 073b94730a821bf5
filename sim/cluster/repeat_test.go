package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestARequestToAnotherBrokerIsRepeatedOnlyWhereAnEpochFencesItsCopy(t *testing.T) {
	markers := func(version int8) kmsg.Request {
		r := kmsg.NewPtrWriteTxnMarkersRequest()
		r.SetVersion(2)
		r.Markers = append(r.Markers, kmsg.WriteTxnMarkersRequestMarker{ProducerID: 1, TransactionVersion: version})
		return r
	}
	adds := func(verify bool) kmsg.Request {
		r := kmsg.NewPtrAddPartitionsToTxnRequest()
		r.SetVersion(5)
		r.Transactions = append(r.Transactions, kmsg.AddPartitionsToTxnRequestTransaction{TransactionalID: "x", VerifyOnly: verify})
		return r
	}
	isr := kmsg.NewPtrAlterPartitionRequest()
	isr.SetVersion(3)
	fetch := kmsg.NewPtrFetchRequest()
	fetch.SetVersion(17)
	n := &Node{}
	frame := func(r kmsg.Request) []byte {
		return kmsg.NewRequestFormatter(kmsg.FormatterClientID("n1")).AppendRequest(nil, r, 7)[4:]
	}
	for _, r := range []kmsg.Request{markers(2), adds(false), isr} {
		require.True(t, n.MayRepeat(frame(r)), "%T", r)
		require.False(t, n.MayRepeat(frame(r)[:12]), "%T, torn", r)
	}
	for _, r := range []kmsg.Request{markers(1), adds(true), fetch} {
		require.False(t, n.MayRepeat(frame(r)), "%T", r)
	}
	require.False(t, n.MayRepeat(nil))
}
