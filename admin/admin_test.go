package admin

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/seedlog/seedlog/core/stats"
)

// fake is a Source that says what it is told to.
type fake struct {
	mu             sync.Mutex
	status, detail string
	snapshot       stats.Snapshot
}

func (f *fake) Status() (string, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.status, f.detail
}

func (f *fake) Snapshot() stats.Snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.snapshot
}

func get(t *testing.T, src Source, path string) (int, string, http.Header) {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(src).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Code, w.Body.String(), w.Header()
}

func TestAliveAndReadyAreDifferentQuestions(t *testing.T) {
	for _, c := range []struct {
		status          string
		healthz, readyz int
		shown           string
	}{
		{Ready, 200, 200, "ready"},
		{Recovering, 200, 503, "recovering"},
		{Fenced, 200, 503, "fenced"},
		{NoController, 200, 503, "no-controller"},
		{DirOffline, 200, 503, "dir-offline"},
		{"", 503, 503, "unresponsive"},
	} {
		src := &fake{status: c.status, detail: `why "so"`}
		for path, want := range map[string]int{"/healthz": c.healthz, "/readyz": c.readyz} {
			code, body, header := get(t, src, path)
			var got map[string]string
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			if code != want || len(got) != 2 || got["status"] != c.shown || got["detail"] != `why "so"` || header.Get("Content-Type") != "application/json" {
				t.Errorf("%s of %q: %d %s, want %d", path, c.status, code, body, want)
			}
		}
	}
}

func TestOtherPathsAndMethodsAreRefused(t *testing.T) {
	if code, _, _ := get(t, &fake{}, "/nothing"); code != 404 {
		t.Error(code)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		w := httptest.NewRecorder()
		Handler(&fake{}).ServeHTTP(w, httptest.NewRequest("POST", path, nil))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("POST %s: %d", path, w.Code)
		}
	}
}

// scrape gives the values of /metrics by name and labels.
func scrape(t *testing.T, src Source) map[string]string {
	t.Helper()
	code, body, _ := get(t, src, "/metrics")
	if code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	values := map[string]string{}
	for line := range strings.Lines(body) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		if _, twice := values[line[:at]]; twice {
			t.Errorf("%s is there twice", line[:at])
		}
		values[line[:at]] = line[at+1:]
	}
	return values
}

func full() *fake {
	s := stats.Snapshot{UptimeNS: 1500e6, NodeID: 1, ClusterID: "abc", Build: stats.Build{Version: "0.1", Revision: "r", GoVersion: "go1.26"}, Brokers: 3, Connections: 4, ConnectionsAccepted: 9, ConnectionsRefused: 6, DiskSyncs: 17,
		UnderReplicated: 1, UnderMinISR: 2, OfflineLogDirs: 5,
		Cleaner: stats.Cleaner{Cleans: 21, Failures: 22, ReadBytes: 23, RemovedBytes: 24, LastBefore: 1000, LastAfter: 255, LastNS: 26e8, LastMapPPM: 270_000, MaxDirtyPPM: 281_000, MaxOverdueMS: 2900, SinceRunNS: 30e6, Uncleanable: 31, UncleanableBytes: 32},
		Partitions: []stats.Partition{
			{Topic: "t", Partition: 0, Leader: true, LeaderID: 1, LeaderEpoch: 7, Replicas: 3, ISR: 2, MessagesIn: 10, MessagesOut: 5, BytesIn: 100, BytesOut: 50, LogStartOffset: 2, LogEndOffset: 12, HighWatermark: 11, SizeBytes: 1000},
			{Topic: "t", Partition: 1, LeaderID: 2, MessagesIn: 1, BytesIn: 10, BytesOut: 20, LogEndOffset: 3, HighWatermark: 3},
		},
		Groups: []stats.Group{{ID: "g", State: "Stable", Members: 2, Offsets: []stats.GroupOffset{
			{Topic: "t", Partition: 0, Committed: 4, Lag: 7, LagMS: 2500}, {Topic: "t", Partition: 1, Committed: 3, Lag: stats.Unknown, LagMS: stats.Unknown}}}}}
	a := s.API(0, "Produce")
	a.Observe(50_000, false)
	a.Observe(700_000, true)
	a.Observe(60_000_000_000, false)
	return &fake{status: Recovering, snapshot: s}
}

func TestEachFigureIsShownUnderItsName(t *testing.T) {
	got := scrape(t, full())
	for name, want := range map[string]string{
		`kafka_brokers`:                                                                                  "3",
		`seedlog_disk_syncs_total`:                                                                       "17",
		`seedlog_connections_refused_total`:                                                              "6",
		`kafka_topic_partitions{topic="t"}`:                                                              "1",
		`kafka_topic_partition_current_offset{partition="0",topic="t"}`:                                  "11",
		`kafka_topic_partition_oldest_offset{partition="0",topic="t"}`:                                   "2",
		`kafka_topic_partition_leader{partition="0",topic="t"}`:                                          "1",
		`kafka_topic_partition_replicas{partition="0",topic="t"}`:                                        "3",
		`kafka_topic_partition_in_sync_replica{partition="0",topic="t"}`:                                 "2",
		`kafka_topic_partition_under_replicated_partition{partition="0",topic="t"}`:                      "1",
		`kafka_consumergroup_current_offset{consumergroup="g",partition="0",topic="t"}`:                  "4",
		`kafka_consumergroup_current_offset_sum{consumergroup="g",topic="t"}`:                            "7",
		`kafka_consumergroup_lag{consumergroup="g",partition="0",topic="t"}`:                             "7",
		`kafka_consumergroup_lag_sum{consumergroup="g",topic="t"}`:                                       "7",
		`kafka_consumergroup_members{consumergroup="g"}`:                                                 "2",
		`kafka_server_brokertopicmetrics_messagesin_total{topic="t"}`:                                    "11",
		`kafka_server_brokertopicmetrics_bytesin_total{topic="t"}`:                                       "110",
		`kafka_server_brokertopicmetrics_bytesout_total{topic="t"}`:                                      "70",
		`kafka_server_replicamanager_underreplicatedpartitions`:                                          "1",
		`kafka_server_replicamanager_underminisrpartitioncount`:                                          "2",
		`kafka_server_replicamanager_partitioncount`:                                                     "2",
		`kafka_server_replicamanager_leadercount`:                                                        "1",
		`kafka_network_requestmetrics_requests_total{request="Produce"}`:                                 "3",
		`kafka_network_requestmetrics_errors_total{request="Produce"}`:                                   "1",
		`kafka_log_log_size{partition="0",topic="t"}`:                                                    "1000",
		`kafka_log_log_logstartoffset{partition="0",topic="t"}`:                                          "2",
		`kafka_log_log_logendoffset{partition="0",topic="t"}`:                                            "12",
		`kafka_log_log_logendoffset{partition="1",topic="t"}`:                                            "3",
		`seedlog_log_cleaner_cleans_total`:                                                               "21",
		`seedlog_log_cleaner_failures_total`:                                                             "22",
		`seedlog_log_cleaner_read_bytes_total`:                                                           "23",
		`seedlog_log_cleaner_removed_bytes_total`:                                                        "24",
		`kafka_log_logcleaner_cleaner_recopy_percent`:                                                    "25.5",
		`kafka_log_logcleaner_max_clean_time_secs`:                                                       "2.6",
		`kafka_log_logcleaner_max_buffer_utilization_percent`:                                            "27",
		`kafka_log_logcleanermanager_max_dirty_percent`:                                                  "28.1",
		`kafka_log_logcleaner_max_compaction_delay_secs`:                                                 "2.9",
		`kafka_log_logcleanermanager_time_since_last_run_ms`:                                             "30",
		`kafka_log_logcleanermanager_uncleanable_partitions_count`:                                       "31",
		`kafka_log_logcleanermanager_uncleanable_bytes`:                                                  "32",
		`kafka_log_logmanager_offlinelogdirectorycount`:                                                  "5",
		`kafka_server_socket_server_metrics_connection_count`:                                            "4",
		`kafka_server_socket_server_metrics_connection_creation_total`:                                   "9",
		`seedlog_request_duration_seconds_bucket{request="Produce",le="0.0001"}`:                         "1",
		`seedlog_request_duration_seconds_bucket{request="Produce",le="0.001"}`:                          "2",
		`seedlog_request_duration_seconds_bucket{request="Produce",le="30"}`:                             "2",
		`seedlog_request_duration_seconds_bucket{request="Produce",le="+Inf"}`:                           "3",
		`seedlog_request_duration_seconds_count{request="Produce"}`:                                      "3",
		`seedlog_request_duration_seconds_sum{request="Produce"}`:                                        "60.00075",
		`seedlog_partition_messages_in_total{partition="0",topic="t"}`:                                   "10",
		`seedlog_partition_messages_out_total{partition="0",topic="t"}`:                                  "5",
		`seedlog_partition_bytes_in_total{partition="0",topic="t"}`:                                      "100",
		`seedlog_partition_bytes_out_total{partition="1",topic="t"}`:                                     "20",
		`seedlog_partition_high_watermark{partition="1",topic="t"}`:                                      "3",
		`seedlog_partition_leader_epoch{partition="0",topic="t"}`:                                        "7",
		`seedlog_consumergroup_lag_seconds{consumergroup="g",partition="0",topic="t"}`:                   "2.5",
		`seedlog_consumergroup_state{consumergroup="g",state="Stable"}`:                                  "1",
		`seedlog_uptime_seconds`:                                                                         "1.5",
		`seedlog_status{status="recovering"}`:                                                            "1",
		`seedlog_status{status="ready"}`:                                                                 "0",
		`seedlog_build_info{cluster_id="abc",goversion="go1.26",node_id="1",revision="r",version="0.1"}`: "1",
	} {
		if got[name] != want {
			t.Errorf("%s: got %q, want %s", name, got[name], want)
		}
	}
	if got["go_goroutines"] == "" || got["process_resident_memory_bytes"] == "" {
		t.Error("the runtime's figures are missing")
	}
}

func TestWhatIsNotKnownIsNotShown(t *testing.T) {
	got := scrape(t, full())
	for _, name := range []string{
		`kafka_consumergroup_lag{consumergroup="g",partition="1",topic="t"}`,
		`seedlog_consumergroup_lag_seconds{consumergroup="g",partition="1",topic="t"}`,
		`kafka_topic_partition_current_offset{partition="1",topic="t"}`, // led elsewhere
	} {
		if v, ok := got[name]; ok {
			t.Errorf("%s %s", name, v)
		}
	}
}

func TestNoNameThatAClientChoseBreaksAScrape(t *testing.T) {
	src := full()
	for _, id := range []string{"\xff", "\xfe", "a\nb\"\\", ""} { // the first two become one
		src.snapshot.Groups = append(src.snapshot.Groups, stats.Group{ID: id, Members: 1, Offsets: []stats.GroupOffset{{Topic: "t\xff", Committed: 1}}})
	}
	code, body, _ := get(t, src, "/metrics")
	if code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	for _, want := range []string{"kafka_consumergroup_members{consumergroup=\"g\"} 2\n", "kafka_consumergroup_members{consumergroup=\"a\\nb\\\"\\\\\"} 1\n", "kafka_brokers 3\n", "kafka_consumergroup_members{consumergroup=\"\uFFFD\"} 1\n"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestAnEmptySnapshotIsAScrape(t *testing.T) {
	if got := scrape(t, &fake{}); got["kafka_server_replicamanager_partitioncount"] != "0" {
		t.Errorf("%v", got)
	}
}

// waiting is a Source whose snapshot comes only when it is released.
type waiting struct {
	fake
	begun, release chan struct{}
}

func (w *waiting) Snapshot() stats.Snapshot {
	w.begun <- struct{}{}
	<-w.release
	return stats.Snapshot{}
}

func TestAProbeDoesNotWaitForAScrapeAndScrapesAreBounded(t *testing.T) {
	src := &waiting{fake: fake{status: Ready}, begun: make(chan struct{}), release: make(chan struct{})}
	h := Handler(src)
	var scrapes sync.WaitGroup
	for range maxScrapes {
		scrapes.Go(func() { h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil)) })
		<-src.begun
	}
	for path, want := range map[string]int{"/readyz": 200, "/metrics": 503} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	close(src.release)
	scrapes.Wait()
}

func TestTheServerAnswersOnItsListenerUntilItIsClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := Serve(l, &fake{status: Ready})
	resp, err := http.Get("http://" + l.Addr().String() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 || string(body) != "{\"status\":\"ready\",\"detail\":\"\"}\n" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get("http://" + l.Addr().String() + "/readyz"); err == nil {
		t.Error("it answers after Close")
	}
}
