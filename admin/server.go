package admin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seedlog/seedlog/core/stats"
)

// What Source.Status says. Only Ready is ready; all of them are alive.
const (
	Ready        = "ready"
	Recovering   = "recovering"    // logs are being recovered
	Fenced       = "fenced"        // registered, but the controller lets no client near yet, or no more
	NoController = "no-controller" // no controller is known or answers
	DirOffline   = "dir-offline"   // a log directory is offline; the others serve, and a restart repairs no disk
)

// unresponsive is what the probes show when the core does not answer. It is the one state that a restart may cure, hence not alive.
const unresponsive = "unresponsive"

// Source is where the figures come from. Its methods are called from several goroutines at once. Both should answer within seconds: Status with an empty status
// if the core does not answer, Snapshot with what it has.
type Source interface {
	Status() (status, detail string)
	Snapshot() stats.Snapshot
}

// maxScrapes bounds the scrapes under way; a further one is answered 503.
const maxScrapes = 4

// Handler serves /healthz, /readyz and /metrics.
func Handler(src Source) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collector{src})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", probe(src, func(status string) bool { return status != "" }))
	mux.HandleFunc("GET /readyz", probe(src, func(status string) bool { return status == Ready }))
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		// Two groups whose ids are the same once they are valid UTF-8 must not cost all other figures.
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
	}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "/healthz\n/readyz\n/metrics")
	})
	return mux
}

// probe answers 200 or 503 with the status, by whether it is good enough.
func probe(src Source, good func(status string) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var answer struct {
			Status string `json:"status"`
			Detail string `json:"detail"`
		}
		answer.Status, answer.Detail = src.Status()
		code := http.StatusOK
		if !good(answer.Status) {
			code = http.StatusServiceUnavailable
		}
		if answer.Status == "" {
			answer.Status = unresponsive
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(code)
		// An error here is a client that has gone.
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// Server is a running HTTP server.
type Server struct {
	http   http.Server
	served chan error
}

// Serve answers on the listener until Close. The time-outs keep slow clients from holding connections for ever.
func Serve(l net.Listener, src Source) *Server {
	s := &Server{served: make(chan error, 1)}
	s.http = http.Server{Handler: Handler(src), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	go func() { s.served <- s.http.Serve(l) }()
	return s
}

// Close closes the listener and all connections, and waits for the server's end.
func (s *Server) Close() error {
	err := s.http.Close()
	if served := <-s.served; !errors.Is(served, http.ErrServerClosed) {
		return errors.Join(err, served)
	}
	return err
}
