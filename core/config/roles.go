package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxVoters bounds the founding list: more voters make a quorum slower, not safer.
const maxVoters = 5

// checkRoles reads what this process is, and who founds the quorum. A node is one of a cluster if it names a quorum; otherwise it is sole,
// broker and controller in one.
func (n *Node) checkRoles() error {
	roles := Split(n.text("process.roles"))
	if err := n.checkQuorum(); err != nil {
		return err
	}
	n.Clustered = len(n.QuorumServers) > 0
	n.Broker = len(roles) == 0 || slices.Contains(roles, "broker")
	n.Controller = len(roles) == 0 || slices.Contains(roles, "controller")
	if !n.Clustered && !(n.Broker && n.Controller) {
		return fmt.Errorf("process.roles=%s needs a cluster; name its quorum in controller.quorum.bootstrap.servers, or use process.roles=broker,controller", n.text("process.roles"))
	}
	return nil
}

// checkQuorum reads the founding members, from either of the settings that name them.
func (n *Node) checkQuorum() error {
	name := "controller.quorum.bootstrap.servers"
	servers := Split(n.text(name))
	voters := Split(n.text("controller.quorum.voters"))
	if len(servers) > 0 && len(voters) > 0 {
		return fmt.Errorf("controller.quorum.bootstrap.servers and controller.quorum.voters are both set; keep the first")
	}
	if len(voters) > 0 {
		name = "controller.quorum.voters"
		for _, v := range voters {
			id, addr, ok := strings.Cut(v, "@")
			if _, err := strconv.ParseUint(id, 10, 31); err != nil || !ok {
				return fmt.Errorf("controller.quorum.voters has %s; write id@host:port, such as 1@127.0.0.1:9093", v)
			}
			servers = append(servers, addr)
		}
	}
	n.QuorumServers = nil
	for _, s := range servers {
		host, port, err := splitHostPort(s)
		if err == nil && (host == "" || port == 0) {
			err = fmt.Errorf("others cannot reach it")
		}
		if err != nil {
			return fmt.Errorf("%s has %s: %w; write host:port, such as 127.0.0.1:9093", name, s, err)
		}
		addr := joinHostPort(host, strconv.Itoa(int(port)))
		if slices.Contains(n.QuorumServers, addr) {
			return fmt.Errorf("%s has %s twice; name each node once", name, s)
		}
		n.QuorumServers = append(n.QuorumServers, addr)
	}
	if k := len(n.QuorumServers); k > maxVoters || k > 0 && k%2 == 0 {
		return fmt.Errorf("%s names %d nodes, and a quorum has 1, 3 or 5; name so many of them, the others follow as brokers", name, k)
	}
	return nil
}

// checkControllerListeners gives a clustered node the listener by which quorum and controller are reached, and says where others find it.
// A node that has none gets one on a port that the system chooses, on the host that brokers use: the quorum's leader is told where it is.
func (n *Node) checkControllerListeners(given []Listener, quorum []string) error {
	if !n.Clustered {
		n.ControllerListeners, n.ControllerAdvertise = nil, nil
		return nil
	}
	if len(n.ControllerListeners) > 1 {
		return fmt.Errorf("listeners=%s has %d listeners for the quorum; keep one of them", n.text("listeners"), len(n.ControllerListeners))
	}
	if len(n.ControllerListeners) == 0 {
		if n.Controller {
			return fmt.Errorf("listeners=%s has no listener for the quorum; add one such as %s://127.0.0.1:9093", n.text("listeners"), quorum[0])
		}
		host := n.Listeners[n.find(n.Listeners, n.InterBroker)].Host
		n.ControllerListeners = []Listener{{Name: quorum[0], Protocol: "PLAINTEXT", Host: host}}
	}
	if l := n.ControllerListeners[0]; l.Protocol != "PLAINTEXT" {
		return fmt.Errorf("listener %s uses %s, which this build does not speak; map it to PLAINTEXT in listener.security.protocol.map", l.Name, l.Protocol)
	}
	n.ControllerAdvertise = slices.Clone(n.ControllerListeners)
	a := &n.ControllerAdvertise[0]
	if a.Host == "0.0.0.0" || a.Host == "::" {
		a.Host = ""
	}
	if a.Host == "" && n.Broker {
		a.Host = n.Advertised[n.find(n.Advertised, n.InterBroker)].Host
	}
	for _, l := range given {
		if l.Name == a.Name {
			*a = l
		}
	}
	return nil
}

// ControllerAddr is where other nodes reach the quorum's listener of this one, as host:port.
func (n *Node) ControllerAddr() string {
	a := n.ControllerAdvertise[0]
	return joinHostPort(a.Host, strconv.Itoa(int(a.Port)))
}

// IsControllerListener says whether connections of a listener of this name speak of the quorum and to the controller.
func (n *Node) IsControllerListener(name string) bool {
	return slices.ContainsFunc(n.ControllerListeners, func(l Listener) bool { return l.Name == name })
}

// joinHostPort joins an address as drivers and Kafka's settings write it: an IPv6 address in brackets.
func joinHostPort(host, port string) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + port
}
