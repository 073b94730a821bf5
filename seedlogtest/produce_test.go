package seedlogtest_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seedlog/seedlog/seedlogtest"
)

func TestAClientProducesAndConsumesAtOneNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := seedlogtest.New(t, seedlogtest.Nodes(1))
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.Addrs()...), kgo.Dialer(c.Dialer()), kgo.AllowAutoTopicCreation(), kgo.ConsumeTopics("orders"), kgo.DefaultProduceTopic("orders"))
		require.NoError(t, err)
		defer cl.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, cl.ProduceSync(ctx, kgo.StringRecord("one"), kgo.StringRecord("two")).FirstErr())
		got := cl.PollRecords(ctx, 2)
		require.NoError(t, got.Err())
		require.Equal(t, "one", string(got.Records()[0].Value))
		t.Log(time.Since(began))
	})
}
