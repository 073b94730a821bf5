package seedlogtest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seedlog/seedlog/seedlogtest"
)

func TestAConsumerSurvivesALeaderCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := seedlogtest.New(t, seedlogtest.Nodes(3), seedlogtest.Config("min.insync.replicas", "2"))
		t.Log(time.Since(began))
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.Dialer(c.Dialer()), kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics("orders"), kgo.DefaultProduceTopic("orders"))
		require.NoError(t, err)
		defer cl.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for i := range 10 {
			require.NoError(t, cl.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr())
			if i == 5 {
				c.Leader("orders", 0).Kill()
			}
			t.Log(i, time.Since(began))
		}
		n := 0
		for n < 10 {
			got := cl.PollRecords(ctx, 10)
			require.NoError(t, got.Err())
			for _, r := range got.Records() {
				require.Equal(t, fmt.Sprint(n), string(r.Value))
				n++
			}
		}
		t.Log(time.Since(began))
	})
}
