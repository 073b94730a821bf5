package broker

import (
	"testing"

	"github.com/seedlog/seedlog/core/api"
	"github.com/seedlog/seedlog/core/controller"
	"github.com/seedlog/seedlog/core/kerr"
)

const keyEnvelope = 58 // its answer is made where it is opened

// A request that waits for a controller until its time is over is refused, whichever it is; and who forwards it knows the refusal.
func TestEveryRequestThatTheControllerDecidesCanBeRefused(t *testing.T) {
	for _, e := range api.Table {
		if !api.IsControllers(e.Key) || e.Key == keyEnvelope {
			continue
		}
		for v := e.Min; v <= e.Max; v++ {
			resp := controller.Refuse(minimal(e.Key, v, [16]byte{1}), kerr.NotController)
			if resp == nil || resp.Key() != e.Key {
				t.Errorf("%s v%d: refused with %T", e.Name, v, resp)
				continue
			}
			if !refusedWith(resp, kerr.NotController) {
				t.Errorf("%s v%d: the refusal says %v, want NOT_CONTROLLER: %+v", e.Name, v, controller.CodeOf(resp), resp)
			}
		}
	}
}
