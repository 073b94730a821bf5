package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// checkListeners parses listeners, advertised.listeners and what belongs to them.
func (n *Node) checkListeners() error {
	protocols, err := parseProtocols(n.text("listener.security.protocol.map"))
	if err != nil {
		return err
	}
	quorum := Split(n.text("controller.listener.names"))
	if len(quorum) == 0 {
		quorum = []string{"CONTROLLER"}
	}
	all, err := parseListeners("listeners", n.text("listeners"), protocols, quorum)
	if err != nil {
		return err
	}
	n.Listeners, n.ControllerListeners = nil, nil
	for _, l := range all {
		if slices.Contains(quorum, l.Name) {
			n.ControllerListeners = append(n.ControllerListeners, l)
		} else {
			n.Listeners = append(n.Listeners, l)
		}
	}
	if n.Broker && len(n.Listeners) == 0 {
		return fmt.Errorf("listeners=%s leaves no listener for clients; add one such as PLAINTEXT://127.0.0.1:9092", n.text("listeners"))
	}
	if !n.Broker && len(n.Listeners) > 0 {
		return fmt.Errorf("listeners=%s has %s, and process.roles=controller serves no clients; delete it, or use process.roles=broker,controller", n.text("listeners"), n.Listeners[0].Name)
	}
	for _, l := range n.Listeners {
		if l.Protocol != "PLAINTEXT" {
			return fmt.Errorf("listener %s uses %s, which this build does not speak; map it to PLAINTEXT in listener.security.protocol.map", l.Name, l.Protocol)
		}
	}
	if err := n.checkInterBroker(); err != nil {
		return err
	}
	given, err := parseListeners("advertised.listeners", n.text("advertised.listeners"), protocols, quorum)
	if err != nil {
		return err
	}
	if err := n.advertise(given, quorum); err != nil {
		return err
	}
	return n.checkControllerListeners(given, quorum)
}

// checkInterBroker finds the listener that brokers use among themselves: the one that is named, or PLAINTEXT, or the first.
func (n *Node) checkInterBroker() error {
	name := n.text("inter.broker.listener.name")
	if name != "" && n.find(n.Listeners, name) < 0 && n.Broker {
		return fmt.Errorf("inter.broker.listener.name=%s is not in listeners; name one of them", name)
	}
	n.InterBroker = ""
	switch {
	case !n.Broker:
	case name != "":
		n.InterBroker = strings.ToUpper(name)
	case n.find(n.Listeners, "PLAINTEXT") >= 0:
		n.InterBroker = "PLAINTEXT"
	default:
		n.InterBroker = n.Listeners[0].Name
	}
	return nil
}

// advertise puts what clients are told beside each listener.
func (n *Node) advertise(given []Listener, quorum []string) error {
	n.Advertised = slices.Clone(n.Listeners)
	for i := range n.Advertised {
		if h := n.Advertised[i].Host; h == "0.0.0.0" || h == "::" {
			n.Advertised[i].Host = ""
		}
	}
	for _, l := range given {
		if l.Host == "0.0.0.0" || l.Host == "::" {
			return fmt.Errorf("advertised.listeners says %s, where nobody can connect to; give the host name that clients use", l.Host)
		}
		if slices.Contains(quorum, l.Name) {
			continue
		}
		i := n.find(n.Listeners, l.Name)
		if i < 0 {
			return fmt.Errorf("advertised.listeners names %s, which listeners does not; use the same names in both", l.Name)
		}
		n.Advertised[i] = l
	}
	return nil
}

func (n *Node) find(in []Listener, name string) int {
	return slices.IndexFunc(in, func(l Listener) bool { return l.Name == strings.ToUpper(name) })
}

func parseProtocols(text string) (map[string]string, error) {
	m := make(map[string]string)
	for _, x := range Split(text) {
		name, protocol, ok := strings.Cut(x, ":")
		protocol = strings.ToUpper(strings.TrimSpace(protocol))
		if !ok || !slices.Contains([]string{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"}, protocol) {
			return nil, fmt.Errorf("listener.security.protocol.map has %s; write NAME:PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", x)
		}
		m[strings.ToUpper(strings.TrimSpace(name))] = protocol
	}
	return m, nil
}

func parseListeners(setting, text string, protocols map[string]string, quorum []string) ([]Listener, error) {
	var out []Listener
	for _, x := range Split(text) {
		name, addr, ok := strings.Cut(x, "://")
		if !ok {
			return nil, fmt.Errorf("%s has %s; write NAME://host:port, such as PLAINTEXT://127.0.0.1:9092", setting, x)
		}
		l := Listener{Name: strings.ToUpper(name)}
		if l.Protocol, ok = protocols[l.Name]; !ok {
			if !slices.Contains(quorum, l.Name) {
				return nil, fmt.Errorf("%s has the name %s, which listener.security.protocol.map does not; add %s:PLAINTEXT to it", setting, l.Name, l.Name)
			}
			l.Protocol = "PLAINTEXT"
		}
		var err error
		if l.Host, l.Port, err = splitHostPort(addr); err != nil {
			return nil, fmt.Errorf("%s has %s: %w; write NAME://host:port, such as PLAINTEXT://127.0.0.1:9092", setting, x, err)
		}
		for _, o := range out {
			if o.Name == l.Name || setting == "listeners" && o.Port == l.Port && l.Port != 0 && o.Host == l.Host {
				return nil, fmt.Errorf("%s has %s twice; give each listener a name and a port of its own", setting, x)
			}
		}
		out = append(out, l)
	}
	return out, nil
}

func splitHostPort(addr string) (string, int32, error) {
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return "", 0, fmt.Errorf("the port is missing")
	}
	host := addr[:i]
	port, err := strconv.ParseUint(addr[i+1:], 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("the port is not a number from 0 to 65535")
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	} else if strings.ContainsAny(host, ":[]/") {
		return "", 0, fmt.Errorf("the host is not a name or an address (IPv6 goes in [])")
	}
	return host, int32(port), nil
}
