from minivae.studies.bench.measuring import main

main()
