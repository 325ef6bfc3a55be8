// swift-tools-version: 6.2
// Figures as ratios against a peer of the same run; `make bench` prints them all, `make bench ONLY=reads` a part.
import PackageDescription

let package = Package(
    name: "plue-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "plue", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        .systemLibrary(name: "CInih", pkgConfig: "inih", providers: [.apt(["libinih-dev"])]),
        // malloc, counted: what a read allocates is not visible from outside otherwise.
        .target(name: "CAllocationCount"),
        .executableTarget(
            name: "PlueBench",
            dependencies: [
                "CAllocationCount", "CInih",
                .product(name: "PlueAudit", package: "plue"),
                .product(name: "PlueConfig", package: "plue"),
                .product(name: "PlueDocuments", package: "plue"),
                .product(name: "PlueHTTP", package: "plue"),
                .product(name: "PlueLedger", package: "plue"),
                .product(name: "PlueSecrets", package: "plue"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)
