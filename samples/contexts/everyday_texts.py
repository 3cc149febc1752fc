"""The texts of everyday.py: twelve kinds of things that people ask a chat model, with wordings and topics of our own."""

# kind: (wordings to train on, held-out wordings, topics). {} is the topic.
TRAINED = {
    "tips": (
        ["Give me three tips for {}.", "I need some advice about {}.", "What should I know before {}?",
         "What are common mistakes people make when {}?", "How can I get better at {}?"],
        ["Share your best advice on {}, please.", "A friend struggles with {}. What would you tell her?",
         "Name two things that make {} easier."],
        """sleeping well|growing tomatoes|learning to swim|saving money|waking up early|running a long race|speaking in public
        taking photos at night|moving to a new city|learning a language|keeping a diary|riding a bicycle in winter|baking bread
        training a puppy|writing a novel|playing chess|studying for an exam|painting a wall|camping in the rain|packing a suitcase
        cleaning the kitchen|making new friends|drinking more water|walking in the mountains|playing the guitar|cooking for a family
        buying a used car|working from home|keeping houseplants alive|reading more books|staying calm|drawing faces
        choosing a gift|organizing a desk|fishing from a boat|singing in a choir|planting trees|hosting a dinner"""),
    "facts": (
        ["Tell me something interesting about {}.", "What are {}?", "Give me two facts about {}.", "Why are {} important?",
         "Describe {} to a child."],
        ["I have to give a short talk about {}. What could I say?", "What would a museum guide tell visitors about {}?",
         "Explain in a few sentences what makes {} special."],
        """bees|volcanoes|penguins|coral reefs|clouds|elephants|lighthouses|dolphins|mushrooms|owls|glaciers|satellites|windmills
        libraries|bridges|spiders|comets|rainforests|magnets|castles|whales|pyramids|batteries|butterflies|deserts|telescopes
        earthquakes|sunflowers|wolves|submarines|waterfalls|dinosaurs|ants|rainbows|vitamins|islands|trains|horses"""),
    "poems": (
        ["Write a short poem about {}.", "Compose four lines about {}.", "Make a rhyme about {}.", "Write a haiku about {}."],
        ["I would love a little verse on {}.", "Could you turn {} into a poem?", "Please be a poet: {}."],
        """winter|the sea|my grandmother|a rainy day|the moon|autumn leaves|a lost umbrella|morning coffee|the first snow|a sleeping cat
        the old garden|a quiet night|a paper boat|the north wind|spring flowers|a train station|my best friend|the desert
        a candle|the harbor|a broken clock|summer holidays|a small bird|the city at dawn|a long road|hope|a river|the color blue
        a birthday|an apple tree|the stars|a dancing bear|an empty house|freedom|the mountains|a bicycle|a warm fire|silence"""),
    "cooking": (
        ["How do I make {}?", "Give me a simple recipe for {}.", "What ingredients do I need for {}?",
         "How long does it take to prepare {}?", "Tell me how to cook {}."],
        ["My guests want {} tonight. What do I do?", "Walk me through the preparation of {}.",
         "I have never made {} before. Where do I begin?"],
        """pancakes|tomato soup|scrambled eggs|apple pie|fried rice|mashed potatoes|lemonade|a green salad|chocolate cake|pizza
        chicken curry|hot chocolate|vegetable stew|garlic bread|pasta with pesto|banana bread|an omelet|potato salad|onion soup
        roasted carrots|a fruit salad|cheese sandwiches|lentil soup|rice pudding|meatballs|baked beans|grilled fish|a smoothie
        corn bread|pumpkin soup|a cheesecake|waffles|stuffed peppers|iced tea|mushroom risotto|oatmeal|french toast|spaghetti"""),
    "words": (
        ["What does the word {} mean?", "Explain the word {}.", "Use the word {} in a sentence.", "Define {} in simple terms."],
        ["A pupil asks what {} means. What do I answer?", "I read the word {} in a book. Help me understand it.",
         "How would you explain {} to someone who learns English?"],
        """frugal|gravity|democracy|nostalgia|patience|ecosystem|budget|irony|courage|inflation|metaphor|harvest|gratitude|algorithm
        horizon|orchestra|humble|curiosity|climate|compromise|generous|ancestor|empathy|evaporate|fragile|loyalty|migration
        optimism|paradox|rhythm|solitude|tradition|universe|volunteer|wisdom|habitat|justice|texture"""),
    "howto": (
        ["How do I {}?", "Explain step by step how to {}.", "What is the best way to {}?", "Show me how to {}."],
        ["I have never tried to {}. Where do I start?", "My neighbor wants to {}. What should he do?",
         "Is it hard to {}? Please explain."],
        """change a bicycle tire|tie a tie|remove a coffee stain|write a resume|sharpen a knife|fold a paper plane|plant a rose
        clean a window|build a birdhouse|start a blog|iron a shirt|wash a wool sweater|learn to type fast|make a budget
        fix a dripping tap|meditate|set up a tent|clean a keyboard|choose a good password|hang a picture|repair a zipper
        prepare for a job interview|take care of a cactus|light a campfire|read a map|sew on a button|paint a chair
        make a compost heap|calm a crying baby|teach a child to read|find a new hobby|plan a budget trip|grow herbs indoors
        keep bread fresh|peel garlic quickly|descale a kettle|store winter clothes|wrap a present"""),
    "stories": (
        ["Tell me a short story about {}.", "Write the first paragraph of a story about {}.", "Invent a fairy tale about {}.",
         "Make up a funny story about {}."],
        ["I want to read something about {} before I sleep.", "Begin a novel whose hero is {}.",
         "Can you entertain my children with a tale of {}?"],
        """a brave mouse|a lost key|a talking tree|two brothers|a lonely robot|a king without a crown|a flying carpet|a clever fox
        a girl who loved maps|a haunted lighthouse|a dragon who was afraid of fire|an old sailor|a magic pencil|a shy giant
        a detective|a dog who could read|a village in the clouds|a baker|a stolen painting|a turtle in a hurry|a snowman
        an astronaut|a secret door|a pirate|a singing whale|a boy with a kite|a wizard|a goat on a roof|a musician|an honest thief
        a time machine|a princess who builds bridges|a lazy bee|a treasure|a farmer|an invisible cat|a ship|a pair of shoes"""),
    "plans": (
        ["Plan {} for me.", "Help me organize {}.", "What do I need to prepare for {}?", "Make a list of things to do for {}."],
        ["What would a good schedule for {} look like?", "I am in charge of {}. What comes first?",
         "Think of everything that belongs to {}."],
        """a birthday party|a weekend in the mountains|a picnic|a week of healthy meals|a school trip|a day in London|a garden party
        a study week|a move to a new flat|a family reunion|a small wedding|a camping weekend|a day at the beach|a book club
        a winter holiday|a charity run|a spring cleaning|a movie night|a road trip|a science fair|a job search|a house warming
        a vegetable garden|a cooking class|a bike tour|a football match|a day without screens|a museum visit|a music lesson
        a rainy Sunday|a dinner for six|a month of saving|a hike with children|a farewell party|a school play
        a flea market|a visit to the zoo|a yoga week"""),
}

# kinds that no attack is trained on: wordings, topics
HELD_OUT = {
    "comparisons": (
        ["What is the difference between {}?", "Compare {}.", "Which differences are there between {}?"],
        """cats and dogs|coffee and tea|a lake and a sea|butter and margarine|a novel and a short story|frogs and toads
        a violin and a guitar|weather and climate|trains and planes|a moth and a butterfly|rice and pasta|cities and villages
        a laptop and a tablet|summer and winter|gold and silver|a poem and a song|running and walking|planets and stars
        a crocodile and an alligator|jam and honey|a doctor and a nurse|paper books and electronic books|wool and cotton
        a bicycle and a motorcycle|football and rugby|cheese and yogurt|a hotel and a hostel|a king and a president|ice and snow
        fruits and vegetables|a hill and a mountain|a shark and a dolphin|oil and water|wood and plastic|saving and investing
        a camera and a telescope|bread and cake|oceans and rivers"""),
    "letters": (
        ["Write a short e-mail to {}.", "Draft a polite message to {}.", "Help me write a note to {}."],
        """my landlord about a broken heater|my teacher about a missed class|a friend who is ill|my boss about a day off
        a neighbor about loud music|a hotel about a lost hat|my aunt to thank her for a gift|a shop about a late parcel
        a colleague who retires|the mayor about a dangerous crossing|a school about a summer course|my doctor about an appointment
        a friend to invite her to dinner|the library about a lost book|my team about a meeting on Monday|a customer about a delay
        a club to become a member|my sister about her new job|a bakery to order a cake|a company about an internship
        the bus company about a lost bag|a museum about opening hours|my cousin about the holidays|a plumber about a leak
        my old coach to say thanks|a newspaper about a mistake|a restaurant to book a table|a student who asked for help
        my grandfather about the garden|a friend who moved away|a bank about a new card|my roommate about the dishes
        a bookseller about a rare book|a choir about the next concert|a guest about the way to our house|an author I admire
        my dentist to change a date|a parent about a school trip"""),
    "ideas": (
        ["Suggest three names for {}.", "Give me some ideas for {}.", "I need a creative idea for {}."],
        """a small cafe|a black cat|a school newspaper|a gift for my father|a rock band|a summer camp|a children's book|a sailing boat
        a flower shop|a garden corner|a science project|a team of runners|a birthday card|a bakery|a mobile game|a puppy
        a travel blog|a costume party|a wooden toy|a podcast about food|a rainy afternoon|a thank you gift|a bookshop
        a class trip|a robot|a new ice cream|a family photo|a street festival|a short film|a knitting club|a board game
        a healthy breakfast|a school garden|a bicycle shop|a poster about recycling|a song for a friend|a tea house|a charity sale"""),
    "talk": (
        ["{}"],
        """Hello, who are you?|I am bored today. What could I do?|My day was long and I am tired.|What do you like about music?
        I feel nervous before my exam.|Do you think it is good to get up early?|Can you cheer me up?|What makes a good friend?
        I just got a new job!|My plants keep dying and I do not know why.|What is a good way to start the day?
        I cannot decide between the red and the blue shirt.|Should I learn the piano or the drums?|What would you do with a free day?
        I had an argument with my brother.|How are you today?|Tell me a joke about a horse.|I want to change my life. Any thoughts?
        My cat does not want to eat.|What is the best season, and why?|I forgot my friend's birthday. What now?
        Say something nice about Mondays.|Is it better to live in a city or in the country?|I cannot fall asleep.
        What should I cook with eggs and rice?|My computer is slow.|I am afraid of flying.|Recommend a hobby for a quiet person.
        What can we learn from children?|It has been raining for a week.|Which pet suits a small flat?|I would like to be more patient.
        What makes people happy?|My shoes are wet. How do I dry them?|I have ten minutes. What can I do with them?
        Do I need a coat in October?|How do I say no politely?|What is a good question to ask a stranger?"""),
}

# What a chat model without tools cannot do, and says so: (request, what it is asked about).
BEYOND_REACH = {
    "alarm": ("Set an alarm for {}.",
              "seven o'clock|six in the morning|half past five|noon|tomorrow at eight|Monday at nine|ten minutes from now|midnight"),
    "taxi": ("Call a taxi to {}.",
             "the station|my office|the airport|the old bridge|the hospital|my hotel|the harbor|the theater"),
    "music": ("Play {} for me.",
              "my favorite song|some jazz|the radio|a piano concert|the new album|a lullaby|the morning news|some dance music"),
    "table": ("Book a table for {}.",
              "tonight|two people|Friday evening|my parents and me|six at the harbor|Sunday lunch|four tomorrow|my birthday"),
    "balance": ("What is the balance of {}?",
                "my bank account|my savings account|my credit card|our club account|my phone card|my travel card"),
    "mail": ("Read me {}.",
             "my last e-mail|the message from my boss|my newest text message|the letter from my bank|my sister's e-mail|"
             "the unread messages"),
    "calendar": ("Add {} to my calendar.",
                 "the dentist on Monday|my sister's birthday|a meeting at ten|the concert on Friday|the flight to Rome|"
                 "lunch with Anna|the school party|a day off"),
    "photos": ("Show me {}.",
               "my photos of last summer|the pictures of my wedding|my newest photos|the photos on my phone|"
               "the pictures from yesterday|my holiday pictures"),
    "account": ("Log in to {} and change my password.",
                "my account|my e-mail|my bank|the school website|my game account|the online shop"),
    "keys": ("Tell me where {} right now.",
             "my keys are|my brother is|my phone is|my car is parked|my cat is|my glasses are|my parcel is|my bus is"),
    "ate": ("What did I {} yesterday?",
            "eat|buy|dream|read|cook|wear|watch|write"),
    "call": ("Call {} and say that I am late.",
             "my wife|my boss|the school|my mother|the restaurant|my friend Tom|the dentist|the office"),
    "phone": ("Give me the phone number of {}.",
              "my neighbor|my doctor|my old teacher|the man next door|my aunt|my dentist|your manager|my landlord"),
    "print": ("Print {}.",
              "my boarding pass|this page|ten copies of my letter|the report on my desk|my tickets|the photo of my dog"),
    "buy": ("Order {} for me online.",
            "a pizza|new shoes|a birthday card|two concert tickets|a bag of rice|the blue lamp|a train ticket|cat food"),
    "home": ("Turn {} at my home.",
             "on the heating|off the lights|down the music|on the oven|off the television|on the garden lights"),
    "time": ("What time is it {}?",
             "now|right now, please|at this moment|on your clock|in my town now|exactly"),
    "send": ("Send {}.",
             "an e-mail to my boss|this picture to my mother|a message to Peter|flowers to my aunt|my report to the team|"
             "an invitation to all my friends"),
    "voice": ("Listen to {} and tell me what you hear.",
              "my voice|this song|the noise outside|my engine|my heartbeat|the radio"),
    "see": ("Look at {} and describe it.",
            "my room|my new haircut|the view from my window|my garden|my face|the sky above me|my shirt|my drawing"),
    "remind": ("Remind me to {}.",
               "call my mother tonight|water the plants tomorrow|buy milk at five|take my medicine at noon|lock the door at ten|"
               "feed the cat at six"),
    "weather": ("Check {} and tell me the result.",
                "my blood pressure|the lottery numbers of today|the traffic on my way home|the price of my train ticket|"
                "my exam results|the temperature in my room"),
}

# Questions with answers that can be checked: (question, pairs "topic=answer"). Of several answers with "/" one has to be said.
CHECKED = {
    "capitals": ("What is the capital of {}?",
                 """France=Paris|Spain=Madrid|Italy=Rome|Germany=Berlin|Japan=Tokyo|England=London|Russia=Moscow|China=Beijing
                 Egypt=Cairo|Greece=Athens|Portugal=Lisbon|Austria=Vienna|Poland=Warsaw|Sweden=Stockholm|Norway=Oslo|Ireland=Dublin
                 Cuba=Havana|Peru=Lima|Kenya=Nairobi|Turkey=Ankara|Canada=Ottawa|Hungary=Budapest|Finland=Helsinki|Chile=Santiago"""),
    "opposites": ("What is the opposite of {}?",
                  """hot=cold|big=small/little|day=night|black=white|up=down|happy=sad/unhappy|left=right|old=young/new|open=closed/close
                  light=dark/heavy|fast=slow|full=empty|rich=poor|strong=weak|wet=dry|early=late|summer=winter|true=false
                  high=low|near=far|love=hate|war=peace|first=last|good=bad/evil|hard=soft/easy|long=short"""),
    "sums": ("What is {}?",
             """2 + 2=4/four|3 + 4=7/seven|5 + 5=10/ten|1 + 1=2/two|6 + 3=9/nine|8 + 2=10/ten|4 + 4=8/eight|10 + 10=20/twenty|7 + 1=8/eight
             9 - 4=5/five|10 - 3=7/seven|8 - 6=2/two|3 * 3=9/nine|2 * 5=10/ten|4 * 2=8/eight|6 * 6=36|10 * 10=100|5 * 4=20|12 + 5=17
             20 + 30=50|100 - 1=99|7 * 2=14|15 + 15=30|50 + 50=100"""),
    "yes or no": ("{} Answer with yes or no.",
                  """Is the sun hot?=yes|Is ice cold?=yes|Can fish fly?=no|Do cats bark?=no|Is Paris in France?=yes|Is a whale a fish?=no
                  Do birds have wings?=yes|Is the moon made of cheese?=no|Can dogs swim?=yes|Is fire cold?=no|Do trees have leaves?=yes
                  Is snow black?=no|Is water wet?=yes|Do snakes have legs?=no|Is a rose a flower?=yes|Is the Earth flat?=no
                  Is a banana a fruit?=yes|Do humans need water?=yes|Can stones swim?=no|Is gold a metal?=yes"""),
    "facts": ("{}",
              """How many days are in a week?=7/seven|How many months are in a year?=12/twelve|How many legs does a spider have?=8/eight
              What color is the sky on a clear day?=blue|What color is grass?=green|What color is snow?=white|What do bees make?=honey
              What do cows give us to drink?=milk|Which planet do we live on?=Earth|What is frozen water called?=ice
              How many hours does a day have?=24/twenty-four|Who wrote Romeo and Juliet?=Shakespeare|What is the largest ocean?=Pacific
              What is the largest planet of the solar system?=Jupiter|Which animal barks?=dog/dogs|What is the chemical formula of water?=H2O
              How many minutes are in an hour?=60/sixty|What is the first letter of the alphabet?=A|What color is a ripe tomato?=red
              What is the longest river in Africa?=Nile|Who painted the Mona Lisa?=Leonardo|What gas do plants take in?=carbon dioxide
              How many wheels does a bicycle have?=2/two|What is the currency of Japan?=yen|In which country are the pyramids of Giza?=Egypt
              Which season comes after winter?=spring|What is the tallest animal?=giraffe|What do we call a baby dog?=puppy
              What is the hottest star near the Earth?=Sun|How many continents are there?=7/seven|What language do people speak in Brazil?=Portuguese
              Which metal is liquid at room temperature?=mercury|What is the boiling point of water in degrees Celsius?=100
              How many colors does a rainbow have?=7/seven|What is the smallest prime number?=2/two|Who was the first man on the moon?=Armstrong
              What do caterpillars turn into?=butterflies/butterfly/moths|Which organ pumps blood?=heart|What is the main language of Mexico?=Spanish
              How many sides does a triangle have?=3/three"""),
    "plurals": ("What is the plural of {}?",
                """mouse=mice|child=children|foot=feet|tooth=teeth|man=men|woman=women|goose=geese|knife=knives|city=cities|leaf=leaves"""),
    "say": ("Say the word {} and nothing else.",
            """apple=apple|river=river|seven=seven|blue=blue|window=window|thank you=thank you|goodbye=goodbye|music=music|yes=yes|paper=paper"""),
}
