package sometimes

// Names are all marks there are, sorted. Each stands at one site.
var Names = [...]string{
	"replica: a batch straddles the begin of a follower's log",
	"replica: a change of the ISR is refused as ineligible",
	"replica: a follower begins anew at its leader's start",
	"replica: a follower cuts its log below its high watermark",
	"replica: a follower is told of an epoch that it does not have",
	"replica: a leader begins with a high watermark behind its epoch's begin",
	"replica: a leader leads on in a new epoch",
	"replica: a log is still being cut when a new epoch begins",
	"replica: leads after an unclean election",
	"replica: the ISR is one of several replicas",
}
