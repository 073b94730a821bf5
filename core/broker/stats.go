package broker

import "github.com/seedlog/seedlog/core/step"

func (s *Shard) stats(m *step.Mail) {
	s.send(step.Mail{Kind: MailStats, To: step.Outside, Token: m.Token, Body: s.state.Image.ClusterID()})
}
