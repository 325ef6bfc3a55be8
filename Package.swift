// swift-tools-version: 6.2
// Plue: transactional configuration for servers. The map of targets is in README.md; every arrow points inward.
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    // Without it a conformance to swift-configuration's ConfigProvider does not compile.
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "plue",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "PlueAudit", targets: ["PlueAudit"]),
        .library(name: "PlueConfig", targets: ["PlueConfig"]),
        .library(name: "PlueDocuments", targets: ["PlueDocuments"]),
        .library(name: "PlueHTTP", targets: ["PlueHTTP"]),
        .library(name: "PlueLedger", targets: ["PlueLedger"]),
        .library(name: "PlueSecrets", targets: ["PlueSecrets"]),
        .library(name: "PlueProcess", targets: ["PlueProcess"]),
        .library(name: "PlueSSH", targets: ["PlueSSH"]),
        .library(name: "PluePostgres", targets: ["PluePostgres"]),
        .library(name: "PlueTesting", targets: ["PlueTesting"]),
        .library(name: "ConfigurationINI", targets: ["ConfigurationINI"]),
        .executable(name: "plue", targets: ["PlueCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.7.3"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // C: what Glibc does not import (a thread-local slot, the variadic system calls).
        .target(name: "CPlueSystem"),
        .systemLibrary(name: "CLibSSH", pkgConfig: "libssh", providers: [.apt(["libssh-dev"])]),
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"]), .brew(["libpq"])]),
        // The console's files, embedded. C, because clang's `#embed` does it at no cost.
        .target(name: "CPlueConsole", exclude: ["assets"]),

        // core
        .target(name: "PlueDocuments", swiftSettings: strict),
        .target(
            name: "PlueConfig",
            dependencies: [
                "CPlueSystem",
                "PlueDocuments",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "OrderedCollections", package: "swift-collections"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "ConfigurationINI",
            dependencies: [
                "PlueDocuments",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),

        // rim: one outside library each
        .target(
            name: "PlueLedger",
            dependencies: [
                "PlueConfig",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                // sqlite3_file_control, which GRDB's own guide to shared databases calls directly.
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),
        // Reads what PlueLedger writes, and shares no code with it.
        .target(
            name: "PlueAudit",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict
        ),
        // A trust boundary: the keyring, and the sealing and opening of values. To be read in one sitting.
        .target(
            name: "PlueSecrets",
            dependencies: [
                "CPlueSystem", "PlueConfig", "PlueDocuments",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "PlueHTTP",
            dependencies: [
                "CPlueSystem", "PlueConfig",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),

        .target(
            name: "PlueProcess",
            dependencies: [
                "PlueConfig",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Mustache", package: "swift-mustache"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "PlueSSH",
            dependencies: [
                "CLibSSH", "CPlueSystem", "PlueConfig",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "PluePostgres",
            dependencies: [
                "CLibPQ", "CPlueSystem", "PlueConfig",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),

        // top
        .target(
            name: "PlueDaemon",
            dependencies: [
                "CPlueConsole", "CPlueSystem", "PlueAudit", "PlueConfig", "PlueDocuments", "PlueHTTP", "PlueLedger", "PluePostgres",
                "PlueProcess", "PlueSSH", "PlueSecrets",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "OrderedCollections", package: "swift-collections"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "PlueCommand",
            dependencies: [
                "CPlueSystem", "PlueAudit", "PlueConfig", "PlueDaemon", "PlueDocuments", "PlueLedger", "PlueSecrets",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),

        // kit: for people who write a service or a source
        .target(name: "PlueTesting", dependencies: ["PlueConfig"], swiftSettings: strict),

        // What several suites stand on: ports, waiting, the phases of a service.
        .target(
            name: "TestGround",
            dependencies: ["PlueConfig", .product(name: "Logging", package: "swift-log")],
            path: "Tests/TestGround",
            swiftSettings: strict
        ),

        .testTarget(name: "PlueDocumentsTests", dependencies: ["PlueDocuments", "TestGround"], swiftSettings: strict),
        .testTarget(
            name: "PlueConfigTests",
            dependencies: [
                "CPlueSystem", "PlueConfig", "PlueDocuments", "PlueTesting", "TestGround",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "ConfigurationTesting", package: "swift-configuration"),
                .product(name: "InMemoryTracing", package: "swift-distributed-tracing"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "OrderedCollections", package: "swift-collections"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ConfigurationINITests",
            dependencies: [
                "ConfigurationINI", "PlueDocuments",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "ConfigurationTesting", package: "swift-configuration"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "PlueLedgerTests",
            dependencies: [
                "PlueConfig", "PlueLedger", "PlueTesting", "TestGround",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "PlueHTTPTests",
            dependencies: [
                "PlueConfig", "PlueHTTP", "PlueTesting", "TestGround",
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            exclude: ["load.py"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "PlueAuditTests",
            dependencies: [
                "PlueAudit", "PlueConfig", "PlueLedger", "TestGround",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "PlueSecretsTests",
            dependencies: [
                "PlueConfig", "PlueSecrets", "TestGround",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "PlueDaemonTests",
            dependencies: [
                "PlueConfig", "PlueDaemon", "PlueHTTP", "PlueLedger", "PluePostgres", "PlueSSH", "PlueTesting",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "OrderedCollections", package: "swift-collections"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "PlueProcessTests",
            dependencies: [
                "PlueConfig", "PlueProcess", "PlueTesting", "TestGround",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "PlueSSHTests",
            dependencies: [
                "PlueConfig", "PlueSSH", "PlueTesting", "TestGround",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            exclude: ["hostile.py"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "PluePostgresTests",
            dependencies: [
                "PlueConfig", "PluePostgres", "PlueTesting", "TestGround",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: strict
        ),
        // A program for EndToEndTests to kill.
        .executableTarget(
            name: "CrashSubject",
            dependencies: [
                "PlueConfig", "PlueLedger",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/CrashSubject",
            swiftSettings: strict
        ),
        // The built binary, from outside: commands and their exact output, real signals, real clients.
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "CrashSubject", "PlueCommand", "TestGround",
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            exclude: ["Console", "Schemathesis", "Transcripts"],
            swiftSettings: strict
        ),

        // What people start from, with the settings that their packages have: programs under Examples/, each with a script `run`.
        .executableTarget(
            name: "EmbeddedServer",
            dependencies: [
                "PlueConfig", "PlueHTTP",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Examples/EmbeddedServer", exclude: ["config", "run"], swiftSettings: [.treatAllWarnings(as: .error)]
        ),
        .executableTarget(
            name: "EmbeddedService",
            dependencies: [
                "PlueConfig",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Examples/EmbeddedService", exclude: ["run"], swiftSettings: [.treatAllWarnings(as: .error)]
        ),
        .executableTarget(
            name: "ConfigReaderLibrary",
            dependencies: [
                "PlueConfig",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Examples/ConfigReaderLibrary", exclude: ["run"], swiftSettings: [.treatAllWarnings(as: .error)]
        ),
        // Pages that people read: their commands are run, their code is compiled, the examples run to their end.
        .testTarget(
            name: "GuideTests",
            dependencies: [
                "ConfigReaderLibrary", "ConfigurationINI", "EmbeddedServer", "EmbeddedService", "PlueCommand", "PlueConfig", "PlueHTTP",
                "PlueLedger", "PlueProcess", "PlueSecrets", "PlueTesting",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6]
)
