package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/jepsen/process"
)

// cluster is three processes of our own broker.
type cluster struct {
	dir     string
	clients []string
	inner   []string
	procs   []*exec.Cmd
	admins  []*kgo.Client // one a node, to ask it alone
}

const nodes = 3

func startCluster(ctx context.Context, dir string) (*cluster, error) {
	c := &cluster{dir: dir, procs: make([]*exec.Cmd, nodes)}
	for range nodes {
		for _, list := range []*[]string{&c.clients, &c.inner} {
			addr, err := process.FreeAddr()
			if err != nil {
				return c, err
			}
			*list = append(*list, addr)
		}
	}
	var lines []chan error
	for i := range nodes {
		line, err := c.start(i)
		if err != nil {
			return c, err
		}
		lines = append(lines, line)
	}
	for i, line := range lines {
		if err := wait(ctx, line); err != nil {
			return c, fmt.Errorf("node %d: %w", i+1, err)
		}
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.clients[i]), kgo.RequestTimeoutOverhead(time.Second))
		if err != nil {
			return c, err
		}
		c.admins = append(c.admins, cl)
	}
	return c, nil
}

// start starts node i; the channel tells when it is ready.
func (c *cluster) start(i int) (chan error, error) {
	data := filepath.Join(c.dir, strconv.Itoa(i))
	logs := data
	if dir := os.Getenv("LOGS"); dir != "" {
		logs = filepath.Join(dir, strconv.Itoa(i+1))
	}
	log, err := os.OpenFile(logs+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{"--data", data}
	for _, s := range []string{
		"node.id=" + strconv.Itoa(i+1), "process.roles=broker,controller", "listeners=PLAINTEXT://" + c.clients[i] + ",CONTROLLER://" + c.inner[i],
		"controller.quorum.bootstrap.servers=" + strings.Join(c.inner, ","), "admin.listener=127.0.0.1:0", "auto.leader.rebalance.enable=false",
	} {
		args = append(args, "--set", s)
	}
	cmd := exec.Command("build/broker", args...)
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c.procs[i] = cmd
	ready := make(chan error, 1)
	go func() {
		line, err := bufio.NewReader(out).ReadString('\n')
		if err == nil && !strings.HasPrefix(line, "ready ") {
			err = fmt.Errorf("unexpected line %q", line)
		}
		ready <- err
	}()
	return ready, nil
}

func wait(ctx context.Context, ready chan error) error {
	select {
	case err := <-ready:
		return err
	case <-time.After(time.Minute):
		return errors.New("no ready line within a minute")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end kills what runs: the data are thrown away.
func (c *cluster) end() {
	for _, cl := range c.admins {
		cl.Close()
	}
	for _, p := range c.procs {
		if p != nil {
			_ = p.Process.Kill() // it may have ended
			_ = p.Wait()
		}
	}
}

const topic = "failover"

func (c *cluster) create(ctx context.Context) error {
	q := kmsg.NewPtrCreateTopicsRequest()
	x := kmsg.NewCreateTopicsRequestTopic()
	x.Topic, x.NumPartitions, x.ReplicationFactor = topic, partitions, nodes
	s, two := kmsg.NewCreateTopicsRequestTopicConfig(), "2"
	s.Name, s.Value = "min.insync.replicas", &two
	x.Configs = append(x.Configs, s)
	q.Topics, q.TimeoutMillis = append(q.Topics, x), 10_000
	resp, err := q.RequestWith(ctx, c.admins[0])
	if err == nil && resp.Topics[0].ErrorCode != 0 {
		err = fmt.Errorf("CreateTopics: code %d", resp.Topics[0].ErrorCode)
	}
	return err
}

// describe asks node i alone.
func (c *cluster) describe(ctx context.Context, i int) (controller int, parts []kmsg.MetadataResponseTopicPartition, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	q := kmsg.NewPtrMetadataRequest()
	x, name := kmsg.NewMetadataRequestTopic(), topic
	x.Topic = &name
	q.Topics = append(q.Topics, x)
	resp, err := q.RequestWith(ctx, c.admins[i].SeedBrokers()[0])
	if err != nil {
		return -1, nil, err
	}
	return int(resp.ControllerID) - 1, resp.Topics[0].Partitions, nil
}

// settle waits until every node knows every replica in sync and each partition's preferred leader leads.
func (c *cluster) settle(ctx context.Context) error {
	each := time.NewTicker(50 * time.Millisecond)
	defer each.Stop()
	for asked := 0; ; asked++ {
		good, elect := 0, false
		for i := range nodes {
			_, parts, err := c.describe(ctx, i)
			if err != nil || len(parts) != partitions {
				continue
			}
			for _, p := range parts {
				if len(p.ISR) == nodes {
					good++
					elect = elect || p.Leader != p.Replicas[0]
				}
			}
		}
		if good == nodes*partitions && !elect {
			return nil
		}
		if good == nodes*partitions && asked%10 == 0 {
			q := kmsg.NewPtrElectLeadersRequest()
			q.TimeoutMillis = 5_000
			if _, err := q.RequestWith(ctx, c.admins[0]); err != nil {
				return err
			}
		}
		select {
		case <-each.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
