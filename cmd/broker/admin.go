package main

import (
	"time"

	"github.com/seedlog/seedlog/core/broker"
	"github.com/seedlog/seedlog/core/step"
)

func (r *running) serveAdmin(int) error { r.admin = r.node.Admin; return nil }

func (r *running) clusterID() string {
	m, ok := r.net.Ask(step.Mail{Kind: broker.MailStats}, 5*time.Second)
	if !ok {
		return ""
	}
	return m.Body.(string)
}
