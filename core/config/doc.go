// Package config is every setting that Kafka 4.3 knows, and the few of our own: their kinds, defaults, limits and sources.
//
//	file, KAFKA_*, --set ──Load──▶ Node ──Resolve(topic's overrides)──▶ Topic
//	                                 └────Describe…──▶ what DescribeConfigs answers
//
// It promises that a Node and a Topic hold only values that the registry allows, and that a name that nobody knows is refused
// with the nearest one that somebody does. It reads no file and no environment: cmd hands it their text.
// Read next: registry.go, node.go, load.go, describe.go.
package config
