package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
)

// sample is what one run of a scenario on one system gave. What is zero does not concern the scenario.
type sample struct {
	seconds  float64
	cpu      float64 // seconds of the broker
	rss      float64 // bytes, at the end
	syncs    float64 // of all brokers together
	requests float64
	records  float64
	bytes    float64         // of record values
	times    []time.Duration // of the requests
	more     map[string]float64
}

// line is one scenario's result on one system: the median of each figure over its runs.
type line struct {
	Bench     string  `json:"bench"`
	System    string  `json:"system"`
	Flush     string  `json:"flush"`
	Rate      float64 `json:"rate_per_s,omitempty"` // records
	CPUPerGB  float64 `json:"cpu_s_per_gb,omitempty"`
	CPUPerReq float64 `json:"cpu_us_per_req,omitempty"`
	Syncs     float64 `json:"syncs,omitempty"`
	SyncPerGB float64 `json:"syncs_per_gb,omitempty"`
	SyncsEach float64 `json:"syncs_each,omitempty"`      // of a transaction
	RateIdem  float64 `json:"idempotent_rate,omitempty"` // of the same load without producer ids
	CPUIdem   float64 `json:"idempotent_cpu,omitempty"`
	P50       float64 `json:"p50_ms,omitempty"`
	P99       float64 `json:"p99_ms,omitempty"`
	P999      float64 `json:"p999_ms,omitempty"`
	RSS       float64 `json:"rss_mb,omitempty"`
	ReadyMS   float64 `json:"ready_ms,omitempty"`
	StartCPU  float64 `json:"start_cpu_s,omitempty"`
	CreateMS  float64 `json:"created_ms,omitempty"`
	AckedMS   float64 `json:"all_acked_ms,omitempty"`
	BytesEach float64 `json:"bytes_each,omitempty"`
	CPUShare  float64 `json:"cpu_share,omitempty"` // of one core
	More      extra   `json:"more,omitempty"`      // what one scenario alone has; its comment says what it is
	WarmGB    float64 `json:"warm_gb,omitempty"`
	Runs      int     `json:"runs"`
}

// ratio sets one of our lines against another system's: below 1 is less than the other's.
type ratio struct {
	Bench   string  `json:"bench"`
	System  string  `json:"system"`
	Flush   string  `json:"flush"`
	Against string  `json:"against"`
	CPU     float64 `json:"ratio_cpu,omitempty"`
	Rate    float64 `json:"ratio_rate,omitempty"`
	P99     float64 `json:"ratio_p99,omitempty"`
	P999    float64 `json:"ratio_p999,omitempty"`
	RSS     float64 `json:"ratio_rss,omitempty"`
	Ready   float64 `json:"ratio_ready,omitempty"`
	Acked   float64 `json:"ratio_all_acked,omitempty"`
}

// extra are figures by name.
type extra map[string]float64

// own are the names of those that have a field in line.
var own = map[string]bool{"ready_ms": true, "start_cpu_s": true, "created_ms": true, "all_acked_ms": true, "syncs_each": true, "idempotent_rate": true,
	"idempotent_cpu": true, "bytes_each": true, "cpu_share": true}

// extras are the medians of the others.
func extras(samples []*sample) extra {
	more := extra{}
	for _, x := range samples {
		for k := range x.more {
			if !own[k] {
				more[k] = round(median(samples, func(x *sample) float64 { return x.more[k] }))
			}
		}
	}
	return more
}

// report prints the lines of a scenario, and after them the ratios.
func report(w io.Writer, name string, list []*system, samples [][]*sample) {
	lines := make([]*line, len(list))
	for i, s := range list {
		lines[i] = summary(name, s, samples[i])
		write(w, lines[i])
	}
	for _, l := range lines {
		for _, o := range lines {
			if l.System != "seedlog" || o.System == "seedlog" || o.System == "base" && o.Flush != l.Flush {
				continue
			}
			cpu := quotient(l.CPUPerGB, o.CPUPerGB)
			if l.CPUPerGB == 0 {
				cpu = quotient(l.CPUPerReq, o.CPUPerReq)
			}
			write(w, &ratio{Bench: name, System: l.System, Flush: l.Flush, Against: o.System, CPU: cpu, Rate: quotient(l.Rate, o.Rate), P99: quotient(l.P99, o.P99),
				P999: quotient(l.P999, o.P999), RSS: quotient(l.RSS, o.RSS), Ready: quotient(l.ReadyMS, o.ReadyMS), Acked: quotient(l.AckedMS, o.AckedMS)})
		}
	}
}

func write(w io.Writer, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // the types above always marshal: every number went through round
	}
	fmt.Fprintf(w, "%s\n", b)
}

func summary(name string, s *system, samples []*sample) *line {
	of := func(f func(x *sample) float64) float64 { return median(samples, f) }
	more := func(key string) float64 { return round(of(func(x *sample) float64 { return x.more[key] })) }
	for _, x := range samples {
		slices.Sort(x.times)
	}
	return &line{
		Bench: name, System: s.name, Flush: s.flush, Runs: len(samples), WarmGB: round(s.warmGB),
		Rate:      round(of(func(x *sample) float64 { return quotient(x.records, x.seconds) })),
		CPUPerGB:  round(of(func(x *sample) float64 { return quotient(x.cpu, x.bytes/1e9) })),
		CPUPerReq: round(of(func(x *sample) float64 { return quotient(x.cpu*1e6, x.requests) })),
		Syncs:     round(of(func(x *sample) float64 { return x.syncs })),
		SyncPerGB: round(of(func(x *sample) float64 { return quotient(x.syncs, x.bytes/1e9) })),
		P50:       round(of(func(x *sample) float64 { return x.quantile(.5) })),
		P99:       round(of(func(x *sample) float64 { return x.quantile(.99) })),
		P999:      round(of(func(x *sample) float64 { return x.quantile(.999) })),
		RSS:       round(of(func(x *sample) float64 { return x.rss / 1e6 })),
		ReadyMS:   more("ready_ms"), StartCPU: more("start_cpu_s"), CreateMS: more("created_ms"), AckedMS: more("all_acked_ms"), SyncsEach: more("syncs_each"), RateIdem: more("idempotent_rate"), CPUIdem: more("idempotent_cpu"), BytesEach: more("bytes_each"), CPUShare: more("cpu_share"),
		More: extras(samples),
	}
}

// sorted is quantile of times that may not be sorted yet.
func (x *sample) sorted(q float64) float64 {
	slices.Sort(x.times)
	return x.quantile(q)
}

// quantile is the time in milliseconds that the share q of the requests did not exceed; times are sorted.
func (x *sample) quantile(q float64) float64 {
	if len(x.times) == 0 {
		return 0
	}
	return ms(x.times[min(len(x.times)-1, int(q*float64(len(x.times))))])
}

func median(samples []*sample, f func(*sample) float64) float64 {
	var v []float64
	for _, x := range samples {
		v = append(v, f(x))
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// quotient is 0 where there is nothing to divide by.
func quotient(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return round(a / b)
}

// round keeps four significant digits.
func round(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 0
	}
	p := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*p) / p
}
