package main

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc/PID/stat, in seconds: Linux shows user space 100 a second, whatever its clock.
const tick = 0.01

// cpuSeconds is the user and system time of a process with all its threads.
func cpuSeconds(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the program's name in parentheses and may hold anything.
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(f))
	}
	user, err := strconv.ParseFloat(f[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(f[12], 64)
	return (user + system) * tick, err
}

// rssBytes is the memory of a process that is resident.
func rssBytes(pid int) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseFloat(f[1], 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmRSS", pid)
}

// meter measures a window of a system's work.
type meter struct {
	s     *system
	cpu   float64
	syncs float64
	began time.Time
}

func startMeter(s *system) (*meter, error) {
	m := &meter{s: s}
	return m, m.start()
}

// start begins the window.
func (m *meter) start() (err error) {
	if m.syncs, err = m.s.syncs(); err != nil {
		return err
	}
	m.cpu, err = m.s.sum(cpuSeconds)
	m.began = time.Now()
	return err
}

// finish fills in what the window cost.
func (m *meter) finish(x *sample) error {
	x.seconds = time.Since(m.began).Seconds()
	cpu, err := m.s.sum(cpuSeconds)
	if err != nil {
		return err
	}
	x.cpu = cpu - m.cpu
	if x.rss, err = m.s.sum(rssBytes); err != nil {
		return err
	}
	syncs, err := m.s.syncs()
	x.syncs = syncs - m.syncs
	return err
}

// syncs is how many syncs of files and directories our brokers have made; 0 of a system that does not say.
func (s *system) syncs() (total float64, err error) {
	for _, n := range s.each() {
		if n.admin == "" {
			continue
		}
		v, err := figure(n.admin+"/metrics", "seedlog_disk_syncs_total")
		if err != nil {
			return 0, err
		}
		total += v
	}
	return total, nil
}

// figure reads one metric without labels; 0 if it is not there.
func figure(url, name string) (float64, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	in := bufio.NewScanner(resp.Body)
	for in.Scan() {
		if v, ok := strings.CutPrefix(in.Text(), name+" "); ok {
			return strconv.ParseFloat(v, 64)
		}
	}
	return 0, in.Err()
}

// sum adds up what a system's processes have used.
func (s *system) sum(of func(pid int) (float64, error)) (total float64, err error) {
	for _, n := range s.each() {
		v, err := of(n.pid)
		if err != nil {
			return 0, err
		}
		total += v
	}
	return total, nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
