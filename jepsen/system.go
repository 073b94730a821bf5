package jepsen

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// system is a kind of broker: how a node of it is started.
type system interface {
	// prepare makes what a node needs before its first start.
	prepare(c *Cluster, n *Node) error
	// command gives a node's process.
	command(c *Cluster, n *Node) *exec.Cmd
	// lacks says why a kind of fault cannot be done to it; "": it can.
	lacks(kind string) string
	// endsByItself says whether a node may end without having been told to: where its disk is full.
	endsByItself() bool
}

// sessionMS is after how long a silent broker is fenced.
const sessionMS = 6000

// internalPartitions is how many partitions __consumer_offsets and __transaction_state have.
const internalPartitions = 4

// shared are settings that both systems know.
func shared(nodes int) []string {
	replicas := min(nodes, 3)
	s := []string{"min.insync.replicas=2", fmt.Sprintf("broker.session.timeout.ms=%d", sessionMS), "broker.heartbeat.interval.ms=500", "replica.lag.time.max.ms=5000",
		"group.initial.rebalance.delay.ms=0", "group.consumer.min.session.timeout.ms=6000", "group.consumer.session.timeout.ms=6000",
		"group.consumer.min.heartbeat.interval.ms=500", "group.consumer.heartbeat.interval.ms=500", "transaction.state.log.min.isr=2"}
	for _, of := range []string{"offsets.topic", "transaction.state.log"} {
		s = append(s, fmt.Sprintf("%s.num.partitions=%d", of, internalPartitions), fmt.Sprintf("%s.replication.factor=%d", of, replicas))
	}
	return s
}

// roles gives what a node is, and where it listens: the guest is a broker alone.
func (c *Cluster) roles(n *Node) (roles, listeners string) {
	if n == c.guest {
		return "broker", "PLAINTEXT://" + n.addr
	}
	return "broker,controller", "PLAINTEXT://" + n.addr + ",CONTROLLER://" + n.inner
}

// environment is ours without what would configure a broker.
func environment() (out []string) {
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "KAFKA_") && !strings.HasPrefix(e, "CLUSTER_ID=") {
			out = append(out, e)
		}
	}
	return out
}

// seedlog is ours.
type seedlog struct{ program, flush string }

func (s *seedlog) prepare(*Cluster, *Node) error { return nil }

func (s *seedlog) command(c *Cluster, n *Node) *exec.Cmd {
	args := []string{"--data", n.dir}
	roles, listeners := c.roles(n)
	for _, v := range append([]string{
		fmt.Sprintf("node.id=%d", n.id+1), "process.roles=" + roles, "listeners=" + listeners,
		"controller.quorum.bootstrap.servers=" + strings.Join(c.founders(), ","), "admin.listener=127.0.0.1:0", "flush.policy=" + s.flush, "disk.reserve.bytes=4194304",
	}, shared(c.cfg.Nodes)...) {
		args = append(args, "--set", v)
	}
	return exec.Command(s.program, args...)
}

func (s *seedlog) lacks(string) string { return "" }
func (s *seedlog) endsByItself() bool  { return false }

// kafka is Apache Kafka, from the jars that kafka-peer fetched.
type kafka struct{ script, home, classpath string }

// clusterID is any fixed id of 16 bytes.
const clusterID = "amVwc2VuLWplcHNlbi0wMA"

func newKafka(cfg *Config) (*kafka, error) {
	k := &kafka{script: filepath.Join(cfg.Peer, "kafka-peer"), home: cfg.PeerDir}
	cmd := exec.Command(k.script, "classpath")
	cmd.Env = append(environment(), "KAFKA_PEER_DIR="+k.home)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s classpath: %w", k.script, err)
	}
	k.classpath = strings.TrimSpace(string(out))
	return k, nil
}

func (k *kafka) file(n *Node) string { return n.home + ".properties" }

func (k *kafka) prepare(c *Cluster, n *Node) error {
	var voters []string
	for i, a := range c.founders() {
		voters = append(voters, fmt.Sprintf("%d@%s", i+1, a))
	}
	roles, listeners := c.roles(n)
	lines := append([]string{
		"process.roles=" + roles, fmt.Sprintf("node.id=%d", n.id+1), "controller.quorum.voters=" + strings.Join(voters, ","), "controller.listener.names=CONTROLLER",
		"listeners=" + listeners, "advertised.listeners=PLAINTEXT://" + n.addr, "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
		"log.dirs=" + n.dir, "initial.broker.registration.timeout.ms=600000", // a JVM that starts on a busy machine gives up after a minute
	}, shared(c.cfg.Nodes)...)
	if err := os.WriteFile(k.file(n), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(k.logging(n), []byte(logging), 0o600); err != nil {
		return err
	}
	cmd := exec.Command("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dlog4j2.configurationFile="+k.logging(n), "-cp", k.classpath, "kafka.tools.StorageTool", "format", "--cluster-id", clusterID, "--config", k.file(n))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out []byte
	var err error
	n.thread.Do(func() { out, err = cmd.CombinedOutput() })
	if err != nil {
		return fmt.Errorf("format the storage of node %d: %w\n%s", n.id+1, err, out)
	}
	return nil
}

func (k *kafka) logging(n *Node) string { return n.home + ".log4j2.xml" }

const logging = `<Configuration status="WARN"><Appenders><Console name="out" target="SYSTEM_OUT"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console></Appenders>
<Loggers><Root level="INFO"><AppenderRef ref="out"/></Root></Loggers></Configuration>
`

func (k *kafka) command(_ *Cluster, n *Node) *exec.Cmd {
	return exec.Command("java", "-Xms512m", "-Xmx512m", "-server", "-XX:+UseG1GC", "-Djava.awt.headless=true", "-Dlog4j2.configurationFile="+k.logging(n), "-cp", k.classpath, "kafka.Kafka", k.file(n))
}

func (k *kafka) lacks(kind string) string {
	if kind == "member" {
		return "its voters are static here (controller.quorum.voters)"
	}
	return ""
}

func (k *kafka) endsByItself() bool { return true }
