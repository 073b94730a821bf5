package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seedlog/seedlog/core/config"
	"github.com/seedlog/seedlog/core/kerr"
)

// rootLogger is the one logger that a node has: all its lines go through it (KIP-412).
const rootLogger = "root"

// LogLevels are the levels that a logger may have, by name (LogLevelConfig). A node's lines are of INFO, WARN and ERROR.
var LogLevels = []string{"DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"}

// DefaultLogLevel is the level that a node starts with.
const DefaultLogLevel = "INFO"

func describedLoggers(level string, names []string) []config.Described {
	if len(names) > 0 && !slices.Contains(names, rootLogger) {
		return nil
	}
	return []config.Described{{Name: rootLogger, Value: &level, Source: config.DynamicBrokerLogger}}
}

// checkLoggers refuses changes of log levels that a node does not make (RuntimeLoggerManager).
//
// INVALID_CONFIG: no such logger or level; INVALID_REQUEST: anything but another level.
func checkLoggers(changes []change) refusal {
	for _, ch := range changes {
		switch ch.op {
		case kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract:
			return refuse(kerr.InvalidRequest, "%v operation is not allowed for the BROKER_LOGGER resource", ch.op)
		case kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpDelete:
		default:
			return refuse(kerr.InvalidRequest, "Unknown operation type %d is not allowed for the BROKER_LOGGER resource", ch.op)
		}
		switch {
		case ch.key != rootLogger:
			return refuse(kerr.InvalidConfig, "Logger %s does not exist!", ch.key)
		case ch.op == kmsg.IncrementalAlterConfigOpDelete:
			return refuse(kerr.InvalidRequest, "Removing the log level of the root logger is not allowed")
		case !slices.Contains(LogLevels, *ch.value):
			return refuse(kerr.InvalidConfig, "Cannot set the log level of %s to %s as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN",
				ch.key, *ch.value)
		}
	}
	return refusal{}
}
